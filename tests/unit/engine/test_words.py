"""The plan in words, and what `why` and `verify` print of it."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.words import Verdict, differing, explain, missing
from ssl_collapse.provenance.judge import MISSING

NOTE = "dataset mine: the folder /data is not on this machine; its results stay as they are"


def say(monkeypatch: pytest.MonkeyPatch, name: str, *plan: Verdict) -> int:
    script = importlib.import_module(f"scripts.{name}")
    monkeypatch.setattr(script, "verdicts", lambda arguments, everything=False: list(plan))
    return script.main([])


def test_images_that_are_away_are_never_as_recorded(monkeypatch: pytest.MonkeyPatch, capsys):
    job = Verdict("dataset", "{}", "", [], ["results/data/mine/dataset.json"], None, NOTE)
    assert say(monkeypatch, "verify", job) == 2
    assert capsys.readouterr().out.splitlines() == [NOTE]
    assert say(monkeypatch, "why", job) == 0
    assert capsys.readouterr().out.splitlines() == [NOTE, "nothing to do"]


RUN = "results/runs/a/seed0"


def job(rule: str, inputs: list[str], output: str, reason: str | None) -> Verdict:
    return Verdict(rule, "{}", "0", inputs, [output], reason)


PLAN = [
    job("pack", [], "results/data/d/train.h5", None),
    job("pretrain", ["results/data/d/train.h5"], f"{RUN}/training.csv", "base_lr 0.05 -> 0.1"),
    job("collapse", [f"{RUN}/training.csv"], f"{RUN}/collapse.json", None),
    job("knn", [f"{RUN}/training.csv"], f"{RUN}/knn.json", MISSING),
    job("summarize", [f"{RUN}/{n}.json" for n in ("collapse", "knn")], "results/s.csv", None),
]


def test_every_job_that_would_run_with_its_cause_before_it():
    assert list(explain(PLAN)) == [
        "runs/a/seed0: base_lr 0.05 -> 0.1",
        "runs/a/seed0/collapse.json: made from runs/a/seed0/training.csv, made again first",
        "runs/a/seed0/knn.json: not there yet",
        "s.csv: made from runs/a/seed0/collapse.json, runs/a/seed0/knn.json, made again first",
    ]


def test_what_is_in_the_store_is_said():
    stored = [replace(PLAN[1], stored=True)]
    assert list(explain(stored)) == ["runs/a/seed0: base_lr 0.05 -> 0.1; in the store"]


def test_many_causes_are_counted():
    above = [job("knn", [], f"results/{i}", "k_max 2 -> 3") for i in range(5)]
    table = job("summarize", [f"results/{i}" for i in range(5)], "results/s.csv", None)
    *_, last = explain([*above, table])
    assert last == "s.csv: made from 0, 1, 2 and 2 more, made again first"


def test_what_differs_is_there_and_is_not_what_only_follows():
    assert list(differing(PLAN)) == ["runs/a/seed0: base_lr 0.05 -> 0.1"]
    assert missing(PLAN) == 1


def test_nothing_to_do():
    current = [job(v.rule, v.inputs, v.outputs[0], None) for v in PLAN]
    assert list(explain(current)) == list(differing(current)) == []
    assert missing(current) == 0


def test_who_reads_only_the_first_lines_sees_no_failure():
    # make why | head -1
    script = Path(__file__).parents[3] / "workflow/scripts/why.py"
    code = (
        "import sys, runpy, engine.words as words; words.verdicts = lambda *a: []\n"
        "words.believed = lambda plan: ['x' * 100] * 10_000\n"
        f"sys.argv = ['why']; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    words = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
