"""What figures owe to the others of their page: one panel once, verdicts corrected for all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy import experiment

from ssl_collapse.config.experiment import Experiment
from ssl_collapse.config.figures import parse_figure
from ssl_collapse.figures.claims import told
from ssl_collapse.figures.registry import make
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.page import comparisons
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.tables.shares import share

RUNS: dict[str, Any] = {
    "iid": {},
    "single": {"schedule": "current"},
    "shares": {"share": [10, 50]},
    "h1": {"start": {"run": "single", "epoch": 1}},
    "h2": {"start": {"run": "single", "epoch": 2}},
}
SWEEP = ["shares", "iid"]
CURVES = [{"name": "shares", "curve": "a"}, {"name": "iid", "curve": "b"}]
SHARES = {"kind": "shares", "runs": SWEEP}


def specs(figures: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    plan = Plan(loaded(figures))
    return {name: plan.figure(name) for name in figures}


def loaded(figures: Mapping[str, Any]) -> Experiment:
    defaults = {"epochs": 4, "batch_size": 4, "analyze": [3, "last"]}
    evaluation = {"knn": {"k_max": 20}, "views": {}}
    return load_experiment(
        experiment(runs=RUNS, figures=dict(figures), defaults=defaults, evaluation=evaluation)
    )


@pytest.mark.parametrize(
    ("figure", "count"),
    [
        (SHARES, 2),  # the measure and the accuracy
        ({**SHARES, "measure": "alignment"}, 1),  # of which nothing is claimed
        ({**SHARES, "runs": CURVES}, 2),  # the second curve has one share
        ({"kind": "shares", "runs": ["iid", "single"]}, 0),
        ({"kind": "spectra", "runs": SWEEP}, 1),
        ({"kind": "spectra", "runs": SWEEP, "auc": False}, 0),
        ({"kind": "spectra", "runs": ["iid", "single", "h1"]}, 1),  # a single pass collapses less
        ({"kind": "spectra", "runs": ["iid", "h1"]}, 0),
        ({"kind": "spectra", "runs": CURVES}, 1),
        ({"kind": "schedules", "runs": ["iid", "single", "h1"]}, 3),
        ({"kind": "schedules", "runs": ["iid", "single", "h1", "h2"]}, 1),  # which hybrid?
        ({"kind": "schedules", "runs": ["iid", "h1"]}, 0),
        ({"kind": "switches", "runs": ["iid", "single", "h1", "h2"]}, 4),  # each against both ends
        ({"kind": "sizes", "runs": ["iid", "single"]}, 2),
        ({"kind": "methods", "runs": ["iid", "single"]}, 0),
    ],
)
def test_as_many_comparisons_are_counted_as_the_caption_tells(figure, count, tmp_path):
    read = loaded({"one": figure})
    assert comparisons(read.figures["one"], read.runs) == count
    caption = make(parse_figure(canonical(Plan(read).figure("one"))), *measured(read, tmp_path))[2]
    found = [one for paragraph in caption.split("\n\n") for one in told(paragraph)]
    # the hybrid that beats both is one claim and two comparisons
    assert sum(1 + ("beats both" in one.claim) for one in found) == count
    assert f"by {count} comparisons" in caption or count < 2
    assert caption.count(f"at {100 - 5 / count:.3g} % (Bonferroni") == 1 if count > 1 else True


def measured(read, folder):
    """A summary of four seeds of every run, and their spectra."""
    rng, rows, paths = np.random.default_rng(0), [], []
    for name, run in read.runs.items():
        start = {"start_run": run.start.run, "start_epoch": run.start.epoch} if run.start else {}
        for seed in range(4):
            numbers = dict(
                zip(("auc", "alignment", "knn_cosine_k20"), rng.uniform(0.5, 1, 3), strict=True)
            )
            where = {"run": name, "seed": seed, "epoch": 4, "final": True, "diverged": False}
            told_of = {"schedule": run.schedule, "arch": "resnet", "epochs": 4, "steps": 40}
            seen = {"share": share(run, start.get("start_epoch", 0)), "method": "simsiam"}
            empty = {"start_run": None, "start_epoch": None}
            rows.append({**where, **told_of, **seen, **empty, **start, **numbers})
            paths.append(folder / f"runs/{name}/seed{seed}/epoch0004/spectrum.csv")
            paths[-1].parent.mkdir(parents=True)
            paths[-1].write_text("index,singular_value,normalized,cumulative\n1,2,1,.7\n2,1,.5,1\n")
    return pd.DataFrame(rows), paths


def test_another_figure_changes_no_more_of_the_others_than_the_number_of_comparisons():
    schedules = {"kind": "schedules", "runs": ["iid", "single", "h1"]}
    curves = {"kind": "curves", "runs": ["iid"]}
    alone, two = specs({"shares": SHARES}), specs({"shares": SHARES, "schedules": schedules})
    assert (alone["shares"].pop("claims"), two["shares"].pop("claims")) == (2, 5)
    assert two["shares"] == alone["shares"]
    # what judges nothing changes nothing, and is itself given no number
    three = specs({"shares": SHARES, "schedules": schedules, "curves": curves})
    assert three["shares"]["claims"] == three["schedules"]["claims"] == 5
    assert three["curves"] == specs({"curves": curves})["curves"]
    assert "claims" not in specs({"one": {"kind": "spectra", "runs": SWEEP}})["one"]
    own = {**SHARES, "claims": 9}
    assert specs({"shares": own, "schedules": schedules})["shares"]["claims"] == 9


@pytest.mark.parametrize(
    ("other", "spectra", "drawn"),
    [
        ({}, {}, True),
        (SHARES, {}, False),
        ({**SHARES, "runs": ["iid", "shares"]}, {}, False),  # in another order
        ({**SHARES, "runs": ["shares"]}, {}, True),
        ({**SHARES, "measure": "rankme"}, {}, True),
        (SHARES, {"auc": True}, True),
        (SHARES, {"epoch": 3}, True),  # not the end of training
        ({"kind": "methods", "runs": SWEEP}, {}, False),
    ],
)
def test_the_same_panel_is_not_shown_twice(other, spectra, drawn):
    figures = {"spectra": {"kind": "spectra", "runs": SWEEP, **spectra}}
    found = specs({**figures, **({"other": other} if other else {})})["spectra"]
    assert found.get("auc", True) == drawn
