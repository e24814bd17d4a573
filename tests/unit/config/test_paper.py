"""`figures: paper`: which figures which runs allow."""

from typing import Any

import pytest
from toy import experiment

from ssl_collapse.config.paper import WANTED
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan

BIG = {"arch": "small_resnet", "width": 8, "blocks": [1]}
HYBRIDS = {f"h{e}": {"start": {"run": "current", "epoch": e}} for e in (1, 2)}


@pytest.mark.parametrize(
    ("runs", "figures"),
    [
        ({"iid": {}}, {}),
        (
            {"iid": {}, "half": {"share": 50}},
            {"spectra": ["iid", "half"], "shares": ["iid", "half"]},
        ),
        ({"iid": {}, "current": {"schedule": "current"}}, {"schedules": ["iid", "current"]}),
        (
            {"iid": {}, "current": {"schedule": "current"}, **HYBRIDS},
            {
                "schedules": ["iid", "current", "h1", "h2"],
                "switches": ["iid", "h1", "h2", "current"],
            },
        ),
        ({"iid": {}, "big": {"backbone": BIG}}, {"sizes": ["iid", "big"]}),
        ({"big": {"backbone": BIG}, "iid": {}}, {"sizes": ["iid", "big"]}),  # the smallest first
        ({"iid": {}, "other": {"backbone": BIG, "base_lr": 1.0}}, {}),  # differ in two things
        ({"iid": {"analyze": [0, "last"]}}, {"dynamics": ["iid"]}),
        (
            {f"r{i}": {"base_lr": 0.1 * i} for i in range(1, 6)},
            {name: [f"r{i}" for i in range(1, 6)] for name in ("forecast", "ranking")},
        ),
    ],
)
def test_the_figures_that_runs_allow(runs: dict[str, Any], figures: dict[str, list[str]]):
    config = experiment(runs=runs, figures="paper", defaults={"epochs": 3, "batch_size": 8})
    plan = Plan(load_experiment(config))
    found = plan.experiment.figures
    assert {n: [run.name for run in f.runs] for n, f in found.items()} == figures
    report = plan.report()
    assert report["figures"] == list(figures)
    assert [line.partition(":")[0] for line in report.get("missing", [])] == [
        name for name in WANTED if name not in figures
    ]


def test_shares_have_a_curve_for_each_backbone_that_was_swept_alike():
    runs = {
        "iid": {},
        "half": {"share": 50},
        "big": {"backbone": BIG},
        "big-half": {"backbone": BIG, "share": 50},
        "wide": {"backbone": {**BIG, "width": 16}},  # at one share alone
        "other": {"base_lr": 1.0, "share": 50},
    }
    config = experiment(runs=runs, figures="paper", defaults={"epochs": 3, "batch_size": 8})
    shares = load_experiment(config).figures["shares"]
    assert [(run.name, run.curve) for run in shares.runs] == [
        *(("iid", "width 4"), ("half", "width 4"), ("big", "width 8"), ("big-half", "width 8"))
    ]
