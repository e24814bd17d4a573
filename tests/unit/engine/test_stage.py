"""What a rule gives its job."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import Namedlist
from toy import experiment

from engine.stage import LONGEST_ARGUMENT, Stages, once_per, roles
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


def test_a_long_text_goes_through_a_file_that_is_named_by_it(stages: Stages, tmp_path: Path):
    long = "x" * LONGEST_ARGUMENT
    stages.now.dry = True
    argument = stages.argument(long)
    assert argument.startswith("@out/state/arguments/")
    assert stages.argument("{}") == "{}", "a short one is an argument itself"
    assert list(tmp_path.iterdir()) == [], "a dry run names the file and writes none"
    stages.now.dry = False
    assert stages.argument(long) == argument != stages.argument(long + "x")
    assert text(argument) == long


def test_the_spec_of_a_report_of_thousands_of_runs_is_short_on_the_command_line(stages: Stages):
    stages.specs["report"] = lambda wildcards: "r" * 200_000
    stages.codes["report"] = lambda wildcards: "0"
    runtime = stages.runtime("report", spec=stages.long_spec("report"))
    words = shlex.split(str(runtime({}, ["summary.csv"], ["report.html"])))
    assert words[0] == "--spec" and len(words[1]) < 100
    assert text(words[1]) == "r" * 200_000


def test_a_training_asks_for_more_memory_after_attempts_that_came_no_further(stages: Stages):
    ask = stages.memory("pretrain", 10)
    assert [ask({}, attempt) for attempt in range(1, 7)] == [10, 20, 30, 40, 40, 40]
    stages.progress = lambda kind, wildcards: {"training": 2}[kind]
    assert [ask({}, attempt) for attempt in (3, 4)] == [10, 20]


def test_inputs_and_outputs_are_known_by_what_a_rule_calls_them():
    files = Namedlist(["a.png", "b.png", "d.json"])
    files._set_name("figures", 0, 2)
    files._set_name("datasets", 2)
    assert roles(files) == ["figures", "figures", "datasets"]
    some = Namedlist(["images", "dataset.json"])  # rule pack: the first has no name
    some._set_name("dataset", 1)
    some._set_name("start", 2, 2)  # none
    assert roles(some) == ["", "dataset"]
    assert roles(["x", "y"]) == ["", ""]


@pytest.mark.parametrize(
    ("runtime", "store"),
    [
        ({}, "out/store"),
        ({"store": "/lab"}, "/lab"),
        ({"store": False}, ""),
        ({"store": "off"}, ""),
    ],
)
def test_the_folder_of_the_store(runtime: dict[str, object], store: str):
    plan = Plan(load_experiment(experiment(runtime=runtime)))
    stages = Stages(plan, LIBRARY, "out", "python", lambda: True)
    stages.codes["represent"] = lambda wildcards: "0"
    wildcards = Namedlist(fromdict={"run": "iid", "seed": "0", "split": "val", "layer": ""})
    request = stages.request("represent", wildcards, ["train.h5"], ["out.h5"])
    assert (request.store, request.label) == (store, "iid/0")


def test_a_users_own_images_are_no_input_and_their_description_has_no_key(tmp_path: Path):
    source = {"kind": "imagefolder", "root": str(tmp_path), "val_fraction": 0.1}
    plan = Plan(load_experiment(experiment(datasets={"textures": {"source": source}})))
    stages = Stages(plan, LIBRARY, "out", "python", lambda: True)
    stages.codes["dataset"] = stages.codes["pack"] = lambda wildcards: "0"
    wildcards = Namedlist(fromdict={"dataset": "textures", "split": "val"})
    assert stages.request("dataset", wildcards, [], ["dataset.json"]).store == ""
    assert stages.request("pack", wildcards, ["dataset.json"], ["val.h5"]).store == "out/store"


# Wildcards that a script is told for its messages, or to find the user's files by.
SAID_ONLY = {"pretrain": {"run", "seed"}, "figure": {"figure"}, "unpack": {"dataset"}}


def test_every_wildcard_that_a_script_may_write_is_part_of_its_key(stages: Stages):
    told: dict[str, set[str]] = {}
    for file in (LIBRARY.parent / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            name, _, body = rule.partition(":")
            told[name] = set(re.findall(r"\{wildcards\.(\w+)", body.partition("shell:")[2]))
    keyed = {name: set(re.findall(r"\{(\w+)", label)) for name, label in stages.labels.items()}
    assert {n: w for n, w in told.items() if w} == {**keyed, **SAID_ONLY}


def test_a_param_is_computed_once_for_equal_wildcards():
    asked = []
    param = once_per(["run"], lambda wildcards: asked.append(wildcards["run"]) or len(asked))
    answers = [param({"run": run, "seed": seed}) for run in "ab" for seed in (0, 1)]
    assert answers == [1, 1, 2, 2]
    assert asked == ["a", "b"]
