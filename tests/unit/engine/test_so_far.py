"""What a report of a part is made from: two runs of two seeds, of which one is measured whole."""

import json
from argparse import Namespace
from pathlib import Path

import pytest

from engine.so_far import SoFar
from engine.words import Verdict
from scripts import so_far
from ssl_collapse.config.figures import ReportSpec, parse_figure
from ssl_collapse.config.summary import SummaryRow
from ssl_collapse.runtime.errors import UserError

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
    whole = SoFar(plan(EVERY))
    assert whole.complete and whole.has_summary and whole.drawn == {"shares"}
    assert list(whole.missing) == [] and len(whole.rows) == 4


def test_of_a_part_there_is_a_table_and_a_figure_of_what_is_measured():
    part = SoFar(plan({("iid", 0), ("iid", 1), ("single", 1)}))
    assert not (part.complete or part.has_summary or part.drawn)
    assert [(row.run, row.seed) for row in part.rows] == [("iid", 0), ("iid", 1), ("single", 1)]
    assert list(part.missing) == ["run single: 1 of 2 seeds and epochs are measured"]
    assert len(json.loads(part.summary_spec())) == 3
    assert part.datasets == [Path("results/data/photos/dataset.json")]


@pytest.mark.parametrize(
    ("there", "runs"),
    [({("iid", 0)}, ["iid"]), ({("single", 1), ("iid", 1)}, ["iid", "single"]), (set(), None)],
)
def test_a_figure_shows_the_runs_that_are_measured(there: set, runs: list[str] | None):
    spec = SoFar(plan(there)).figure_spec("shares")
    shown = None if spec is None else [run.name for run in parse_figure(spec).runs]
    assert shown == runs


@pytest.mark.parametrize("there", [EVERY, {("iid", 0), ("single", 1)}, set()])
def test_the_page_is_made_of_a_part(there: set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By the scripts of the stages, whose figure here cannot be drawn."""
    monkeypatch.chdir(tmp_path)
    sidecar = Path("results/report.html.provenance.json")
    sidecar.parent.mkdir()
    sidecar.write_text("of a whole one")
    called: dict[str, Namespace] = {}

    def draw(args: Namespace) -> None:
        raise UserError("needs three runs")

    monkeypatch.setattr(so_far.summarize, "main", lambda args: called.update(summary=args))
    monkeypatch.setattr(so_far.figure, "main", draw)
    monkeypatch.setattr(so_far.report, "main", lambda args: called.update(report=args))
    said = so_far.make(SoFar(plan(there)))
    if there == EVERY:
        assert said == "results/report.html: all of it is there"
        assert sidecar.exists() and not called, "the workflow's own stays"
        return
    assert called["report"].output == Path("results/report.html") and called["report"].partial
    assert called["report"].figures == [Path("results/so-far/figures/shares.png")]
    assert ("summary" in called) == bool(there)
    reason = "needs three runs" if there else "none of its runs is measured"
    assert said.splitlines()[-1] == f"  figure shares: {reason}"
    assert not sidecar.exists(), "the next run makes it again"


def test_what_is_made_again_is_not_there():
    """The measurements are; the images that they are of are described anew."""
    jobs = plan(EVERY, described=False)
    assert not SoFar(jobs).rows and not SoFar(jobs).complete
