"""What `why` and `verify` print for given verdicts."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from engine.words import Verdict

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
