"""What a report of a part is made from: two runs of two seeds, of which one is measured whole."""

import json
from pathlib import Path

import pytest

from engine.so_far import SoFar
from engine.words import Verdict
from ssl_collapse.config.figures import ReportSpec, parse_figure
from ssl_collapse.config.summary import SummaryRow

RUNS = ("iid", "single")
SEEDS = (0, 1)


def row(run: str, seed: int) -> SummaryRow:
    keys = {"epoch": 4, "final": True, "dataset": "photos", "recipe": None}
    return SummaryRow(run=run, seed=seed, **keys)


def of(run: str, seed: int) -> list[str]:
    folder = f"results/runs/{run}/seed{seed}"
    return [f"{folder}/epoch0004/collapse.json", f"{folder}/training.csv"]


def plan(there: set[tuple[str, int]], described: bool = True) -> list[Verdict]:
    """The verdicts on a plan whose measurements are `there`, causes first."""
    runs = [(run, seed) for run in RUNS for seed in SEEDS]
    figure = {"kind": "shares", "runs": [{"name": run} for run in RUNS]}
    report = ReportSpec(title="A", runs=list(RUNS), figures=["shares"])
    dataset = "results/data/photos/dataset.json"
    missing = "is missing"
    jobs = [("dataset", "{}", [], [dataset], None if described else missing)]
    jobs += [("stage", "{}", [], of(*run), None if run in there else missing) for run in runs]
    rows = json.dumps([row(*run).to_spec() for run in runs])
    inputs = [dataset, *(path for run in runs for path in of(*run))]
    spec = parse_figure(json.dumps(figure | {"title": None, "show_title": True} | PANELS))
    summary, picture = "results/tables/summary.csv", "results/figures/shares.png"
    jobs.append(("summarize", rows, inputs, [summary], None))
    jobs.append(("figure", spec.to_spec_json(), [summary], [picture], None))
    page = ["results/report.html"]
    jobs.append(("report", report.to_spec_json(), [picture, summary, dataset], page, None))
    return [
        Verdict(rule, spec, "", inputs, outputs, reason)
        for rule, spec, inputs, outputs, reason in jobs
    ]


PANELS = {"accuracy": "knn_cosine_k20", "measure": "auc"}
EVERY = {(run, seed) for run in RUNS for seed in SEEDS}


def test_of_a_whole_plan_nothing_is_missing():
    so_far = SoFar(plan(EVERY))
    assert so_far.complete and so_far.has_summary and so_far.drawn == {"shares"}
    assert list(so_far.missing) == [] and len(so_far.rows) == 4


def test_of_a_part_there_is_a_table_and_a_figure_of_what_is_measured():
    so_far = SoFar(plan({("iid", 0), ("iid", 1), ("single", 1)}))
    assert not (so_far.complete or so_far.has_summary or so_far.drawn)
    assert [(row.run, row.seed) for row in so_far.rows] == [("iid", 0), ("iid", 1), ("single", 1)]
    assert list(so_far.missing) == ["run single: 1 of 2 seeds and epochs are measured"]
    assert len(json.loads(so_far.summary_spec())) == 3
    assert so_far.datasets == [Path("results/data/photos/dataset.json")]


@pytest.mark.parametrize(
    ("there", "runs"),
    [({("iid", 0)}, ["iid"]), ({("single", 1), ("iid", 1)}, ["iid", "single"]), (set(), None)],
)
def test_a_figure_shows_the_runs_that_are_measured(there: set, runs: list[str] | None):
    spec = SoFar(plan(there)).figure_spec("shares")
    shown = None if spec is None else [run.name for run in parse_figure(spec).runs]
    assert shown == runs


def test_what_is_made_again_is_not_there():
    """The measurements are; the images that they are of are described anew."""
    jobs = plan(EVERY, described=False)
    assert not SoFar(jobs).rows and not SoFar(jobs).complete
