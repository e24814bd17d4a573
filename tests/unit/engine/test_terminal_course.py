"""What a person reads of a run, from records as Snakemake 9.27 logs them."""

import logging
from pathlib import Path
from typing import Any

import pytest

from engine.terminal.course import Course, in_words, plain

START = 1000.0  # seconds of 1970


def record(event: str | None, text: str = "", level: int = logging.INFO, **extra: Any) -> Any:
    values = {"msg": text, "levelno": level, "created": START, **extra}
    return logging.makeLogRecord(values | ({"event": event} if event else {}))


def begun(**counts: int) -> Course:
    course = Course(lambda jobs: f"plan of {sum(jobs.values())}")
    stats = {**counts, "total": sum(counts.values())}
    assert course.hear(record("workflow_started", "Workflow has started!")) == []
    (line,) = course.hear(record("run_info", "Job stats: ...", stats=stats))
    assert line.text == f"plan of {stats['total']}"
    return course


def job_info(number: int, rule: str, log: str = "x.log", **wildcards: str) -> Any:
    extra = {"jobid": number, "rule_name": rule, "wildcards": wildcards, "log": [log] * bool(log)}
    return record("job_info", " Rule: ...", **extra)


def job_error(number: int, rule: str, message: str | None = None) -> Any:
    extra = {"jobid": number, "rule_name": rule, "rule_msg": message, "log": []}
    return record("job_error", "Error in rule ...", logging.ERROR, **extra)


def finished(number: int, at: float) -> Any:
    return record("job_finished", "Finished jobid: ...", job_id=number, created=at)


def texts(course: Course, entry: Any) -> list[str]:
    return [line.text for line in course.hear(entry)]


@pytest.mark.parametrize(
    ("rule", "wildcards", "says"),
    [
        ("pretrain", {"run": "iid", "seed": "0"}, "[1/3] pretrain iid/seed0, 1 min 15 s"),
        ("report", {}, "[1/3] report, 1 min 15 s"),
        (
            "represent",  # the layer of the backbone has no name
            {"run": "iid", "seed": "0", "epoch": "0004", "layer": "", "split": "val"},
            "[1/3] represent iid/seed0/epoch0004/val, 1 min 15 s",
        ),
    ],
)
def test_a_finished_job_is_a_line(rule: str, wildcards: dict[str, str], says: str):
    course = begun(**{rule: 2, "all": 1})
    assert texts(course, job_info(7, rule, **wildcards)) == []
    assert list(course.running) == [7]
    assert texts(course, record("shellcmd", "Shell command: python ...")) == []
    (line,) = course.hear(finished(7, START + 75))
    assert line.text == says and line.moves == (rule != "pretrain")
    assert course.done == 1 and not course.running


def test_a_target_that_makes_nothing_is_no_line():
    course = begun(all=1)
    course.hear(job_info(0, "all", log=""))
    assert texts(course, finished(0, START)) == [] and course.done == 1


def test_a_failed_job_is_told_with_the_last_lines_of_its_log(tmp_path: Path):
    log = tmp_path / "knn.log"
    log.write_text("".join(f"line {i}\n" for i in range(20)) + "error: no rows\n")
    course = begun(knn=1)
    course.hear(job_info(3, "knn", str(log), run="iid"))
    exception = record(
        "error", "RuleException:\nCalledProcessError ... returned non-zero exit status 2.", 40
    )
    assert texts(course, exception) == [], "told with its job"
    head, message, where, *lines = texts(course, job_error(3, "knn", "SLURM status TIMEOUT"))
    assert head == "error: knn iid has failed" and message == "  SLURM status TIMEOUT"
    assert where == f"  last lines of {log}:"
    assert lines[0] == "  | line 9" and lines[-1] == "  | error: no rows"  # 12 of them
    assert list(course.failed) == ["knn iid"] and not course.running


@pytest.mark.parametrize(
    ("last", "saved"),
    [("interrupted; saved epoch 3, step 7", True), ("error: the disk is full", False)],
)
def test_an_interruption_that_saved_is_no_error(tmp_path: Path, last: str, saved: bool):
    log = tmp_path / "pretrain.log"
    log.write_text(f"epoch 3/10 loss 0.1 lr 0.2\n{last}\n")
    course = begun(pretrain=1)
    course.hear(job_info(3, "pretrain", str(log), run="iid", seed="0"))
    lines = texts(course, job_error(3, "pretrain"))
    assert (list(course.interrupted), list(course.failed)) == (
        (["pretrain iid/seed0"], []) if saved else ([], ["pretrain iid/seed0"])
    )
    if saved:
        assert lines == [f"pretrain iid/seed0: {last}; it goes on from there"]


def test_what_a_person_stops_has_not_failed():
    course = begun(knn=1)
    course.hear(job_info(3, "knn", "gone.log", run="iid"))
    course.hear(record(None, "Terminating processes on user request, this might take some time."))
    assert texts(course, job_error(3, "knn")) == ["knn iid: stopped; it starts anew"]
    assert list(course.interrupted) == ["knn iid"] and not course.failed


def test_a_further_attempt_that_succeeds_clears_the_failure():
    course = begun(pretrain=1)
    for attempt in range(2):
        course.hear(job_info(3, "pretrain", "gone.log", run="iid"))
        if attempt == 0:
            course.hear(job_error(3, "pretrain"))
            assert texts(course, record(None, "Trying to restart job 3.")) != []
    course.hear(finished(3, START))
    assert not course.failed


@pytest.mark.parametrize(
    ("text", "level", "shown"),
    [
        ("Building DAG of jobs...", logging.INFO, False),
        ("Nothing to be done (all requested files are present and up to date).", 20, True),
        ("Terminating processes on user request, this might take some time.", 20, True),
        ("The config has a caution.", logging.WARNING, True),
        ("MissingOutputException: ...", logging.ERROR, True),
        ("Exiting because a job execution failed. Look above for error messages", 40, False),
        ("WorkflowError:\nAt least one job did not complete successfully.", 40, False),
    ],
)
def test_what_snakemake_says_besides(text: str, level: int, shown: bool):
    assert texts(begun(all=1), record(None, text, level)) == ([text] if shown else [])


def test_outside_a_run_all_is_as_snakemake_says_it():
    course = Course(lambda jobs: "")
    assert texts(course, record(None, "pretrain")) == ["pretrain"]  # of `--list`


def test_the_way_to_the_full_log_is_kept():
    course = begun(all=1)
    assert texts(course, record(None, "Complete log(s): /a/b.snakemake.log")) == []
    assert course.full_log == "/a/b.snakemake.log"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.7, "1 min 00 s"), (125, "2 min 05 s"), (7800, "2 h 10 min")],
)
def test_times_in_words(seconds: float, words: str):
    assert in_words(seconds) == words


def test_nothing_steers_the_terminal():
    assert plain("run \x1b[2J\n") == "run ?[2J\n"
