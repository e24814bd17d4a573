"""The last lines of a run: what came out, what diverged, where the report lies."""

from pathlib import Path

import pytest
from toy import experiment

from engine.terminal.closing import closing, closing_table
from engine.terminal.course import Course, Job
from engine.terminal.opening import opening
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.results import Results
from ssl_collapse.plan.specs import Plan

SUMMARY = """\
run,seed,epoch,final,schedule,share,start_run,steps,auc,knn_cosine_k20,failure,diverged
iid,0,0,False,iid,100,,20,0.9,0.1,,False
iid,0,2,True,iid,100,,20,0.7,0.95,,False
iid,1,2,True,iid,100,,20,0.8,0.99,,False
single,0,2,True,current,100,,20,,,loss is nan,True
single,1,2,True,current,100,,20,0.75,0.5,,False
"""


def results() -> Results:
    return Results(Plan(load_experiment(experiment(defaults={"seeds": [0, 1], "epochs": 2}))))


def last(course: Course, folder: Path) -> list[str]:
    return [line.text for line in closing(course, results(), folder)]


def course(**happened: object) -> Course:
    return Course(lambda jobs: "", begun=True, planned=True, **happened)


def test_the_table_has_means_and_intervals_of_the_last_epoch(tmp_path: Path):
    """AUC .75, t(1) s / sqrt 2 = 12.706 x .0707 / 1.414 = .635, cut at .5 and 1; one seed: none."""
    (tmp_path / "summary.csv").write_text(SUMMARY)
    head, iid, single = closing_table(tmp_path / "summary.csv").splitlines()
    assert head.split("  ")[0] == "run" and "AUC" in head and "accuracy" in head
    assert "0.750 [0.500, 1.000]" in iid and "97.0 % [71.6, 100.0]" in iid
    assert single.split() == ["single", "2,", "1", "diverged", "0.750", "50.0", "%"]


@pytest.mark.parametrize("rows", ["1,0.5\n2,nan\n", "1,0.5\n2,0.4\n"])
def test_a_run_that_has_diverged_is_named(tmp_path: Path, rows: str):
    folder = tmp_path / "runs/iid/seed1"
    folder.mkdir(parents=True)
    (folder / "training.csv").write_text(f"epoch,loss\n{rows}")
    told = [line for line in last(course(), tmp_path) if line.startswith("diverged")]
    named = ["diverged: iid/seed1 in epoch 2; lower base_lr or lengthen warmup_epochs"]
    assert told == (named if "nan" in rows else [])


def test_the_report_is_the_last_line_of_a_whole_run(tmp_path: Path):
    (tmp_path / "report.html").write_text("")
    whole = course(done=9, total=9, full_log="/elsewhere/a.log")
    assert last(whole, tmp_path) == [
        "every line of this run: /elsewhere/a.log",
        f"report: {tmp_path}/report.html",
    ]


def test_what_failed_and_what_was_interrupted_goes_before_the_way_to_a_report(tmp_path: Path):
    (tmp_path / "report.html").write_text("of an earlier run")
    job = Job("pretrain", "iid/seed0", "a.log", 0)
    part = course(done=3, total=9, failed={"knn a": job}, interrupted={"pretrain iid/seed0": job})
    assert last(part, tmp_path) == [
        "interrupted, the same command goes on: pretrain iid/seed0",
        "failed: knn a",
        f"report: not yet; `make report` makes {tmp_path}/report.html from what is there",
    ]


def test_the_plan_is_one_line_with_its_time(tmp_path: Path):
    line = opening(results().plan, tmp_path, 2, 0)({"pretrain": 2, "all": 1})
    assert line.startswith("plan: 3 jobs, 2 trainings; about ")
    assert line.endswith(", 2 at once (a first guess; `make estimate` measures)")
    assert "\n" not in line
    # 300 starts of 3.5 s, two at once: 525 s
    minutes = opening(results().plan, tmp_path, 2, 0)({"report": 300})
    assert minutes.startswith("plan: 300 jobs; about 9 min, 2 at once")
