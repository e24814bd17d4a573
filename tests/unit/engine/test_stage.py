"""What a rule gives its job."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy import experiment

from engine.stage import LONGEST_ARGUMENT, Stages, once_per
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.command_line import text

LIBRARY = Path(__file__).parents[3] / "workflow"


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """The stages of the toy in an empty folder; `stages.dry` is whether it is a dry run."""
    monkeypatch.chdir(tmp_path)
    now = SimpleNamespace(dry=False)
    stages = Stages(Plan(load_experiment(experiment())), LIBRARY, "out", "python", lambda: now.dry)
    stages.now = now
    return stages


def test_a_short_text_is_an_argument_itself(stages: Stages, tmp_path: Path):
    assert stages.argument("{}") == "{}"
    assert list(tmp_path.iterdir()) == []


def test_a_long_text_goes_through_a_file_that_is_named_by_it(stages: Stages):
    long = "x" * LONGEST_ARGUMENT
    argument = stages.argument(long)
    assert argument.startswith("@out/state/arguments/") and text(argument) == long
    assert stages.argument(long) == argument != stages.argument(long + "x")


def test_a_dry_run_names_the_file_and_writes_none(stages: Stages, tmp_path: Path):
    stages.now.dry = True
    assert stages.argument("x" * LONGEST_ARGUMENT).startswith("@out/")
    assert list(tmp_path.iterdir()) == []


def test_the_spec_of_a_report_of_thousands_of_runs_is_short_on_the_command_line(stages: Stages):
    stages.specs["report"] = lambda wildcards: "r" * 200_000
    stages.codes["report"] = lambda wildcards: "0"
    runtime = stages.runtime("report", spec=stages.long_spec("report"))
    words = shlex.split(str(runtime({}, ["summary.csv"], ["report.html"])))
    assert words[0] == "--spec" and len(words[1]) < 100
    assert text(words[1]) == "r" * 200_000


def test_a_param_is_computed_once_for_equal_wildcards():
    asked = []
    param = once_per(["run"], lambda wildcards: asked.append(wildcards["run"]) or len(asked))
    answers = [param({"run": run, "seed": seed}) for run in "ab" for seed in (0, 1)]
    assert answers == [1, 1, 2, 2]
    assert asked == ["a", "b"]
