"""What `why` and `verify` print for given verdicts."""

import importlib

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
