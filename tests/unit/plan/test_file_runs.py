"""Runs that are files: which results they have, from what, and that only their bytes count."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import call
from toy import experiment

from engine.inputs import Inputs
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.results import Results
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256

PUBLISHED = Path(__file__).parents[3] / "configs/published.yaml"
RUNS = {
    "iid": {},
    "both": {"representations": {"train": "train.npy", "val": "val.npy"}},
    "train": {"representations": {"train": "train.npy"}, "targets": {"train": "val.npy"}},
    "sigma": {"spectrum": "sigma.npy", "share": 5},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("train", "val", "sigma")):
        np.save(tmp_path / f"{name}.npy", np.full(3, float(number)))
    return tmp_path


def plan(folder: Path, **sections: Any) -> Plan:
    return Plan(
        load_experiment(experiment(runs=RUNS, defaults={"folder": str(folder)}, **sections))
    )


def test_each_kind_has_the_results_that_it_can_have(folder: Path):
    probe = {"cached": {}, "full": {}}
    results = Results(plan(folder, evaluation={"probe": probe, "knn": {"neighbors": True}}))
    found: dict[str, set[str]] = {}
    for path in results.everything():
        if "/runs/" in path and "/iid/" not in path:
            _, _, run, *rest = path.split("/")
            found.setdefault(run, set()).add("/".join(rest).removeprefix("seed0/epoch0001/"))
    measures = {"collapse.json", "spectrum.csv"}
    train, val = ("representations-train.h5", "representations-val.h5")
    nearest = {"knn.json", "knn.csv", "neighbors.h5"}
    assert found == {
        "both": measures | {train, val, "probe-cached.json"} | nearest,
        "train": measures | {train},
        "sigma": measures,
    }
    made_from = [p for p in Inputs(results).summarized() if "/iid/" not in p]
    made_from.remove("results/data/textures/dataset.json")
    assert all(
        "/".join(p.split("/")[3:]).split("/")[-1] in found[p.split("/")[2]] for p in made_from
    )
    assert len(made_from) == 3 + 1 + 1  # collapse.json of all, knn.json and the probe of one


def test_only_rules_of_their_kind_make_them(folder: Path):
    results = Results(plan(folder))
    for kind, names in (("representations", ["both", "train"]), ("spectrum", ["sigma"])):
        for run in RUNS:
            taken = re.match(f"({results.names(kind)})/", f"{run}/")
            others = re.match(f"({results.not_named(kind)})/", f"{run}/")
            assert (taken is None, others is None) == (run not in names, run in names)
    assert not re.match(Results(Plan(load_experiment(experiment()))).names("spectrum"), "iid")


def test_their_specs_are_their_bytes_wherever_they_lie(folder: Path):
    before = plan(folder)
    digest = {name: file_sha256(folder / f"{name}.npy") for name in ("train", "val", "sigma")}
    assert before.import_representations("both", "val") == {"representations": digest["val"]}
    targets = {"representations": digest["train"], "targets": digest["val"]}
    assert before.import_representations("train", "train") == targets
    assert before.import_spectrum("sigma")["spectrum"] == digest["sigma"]
    moved = folder.rename(folder.with_name("moved"))
    assert plan(moved).import_spectrum("sigma") == before.import_spectrum("sigma")
    np.save(moved / "sigma.npy", np.ones(2))
    assert plan(moved).import_spectrum("sigma") != before.import_spectrum("sigma")
    row = next(row for row in before.summarize() if row["run"] == "sigma")
    assert (row["share"], row["knn"], row["recipe"], row["final"]) == (5, False, None, True)
    assert str(folder) not in str(before.summarize())


def test_a_file_that_is_exchanged_after_planning_is_refused(folder: Path):
    planned, output = plan(folder), folder / "output"
    spectrum = ["--spec", json.dumps(planned.import_spectrum("sigma")), "--spectrum", output]
    rows = ["--spec", json.dumps({"representations": file_sha256(folder / "train.npy")})]
    np.save(folder / "sigma.npy", [2.0, 1.0])
    np.save(folder / "train.npy", np.eye(3))
    with pytest.raises(UserError, match=r"sigma\.npy has changed since this job was planned"):
        call("import_spectrum", *spectrum, "--file", folder / "sigma.npy", "--json", output)
    with pytest.raises(UserError, match=r"train\.npy has changed since this job was planned"):
        call("import_representations", *rows, "--run", "both", "--split", "train",
             "--file", folder / "train.npy", "--output", output)  # fmt: skip


def test_a_file_that_is_away_is_named_with_its_key(folder: Path):
    (folder / "val.npy").unlink()
    with pytest.raises(UserError, match=r"runs\.both\.representations\.val: .*val\.npy cannot be"):
        plan(folder)


def test_the_published_spectra_are_planned_from_one_folder(folder: Path):
    config = yaml.safe_load(PUBLISHED.read_text("utf-8"))
    with pytest.raises(UserError, match=r"runs\.imagenet-1\.spectrum: published/.* `folder`"):
        Plan(load_experiment(config))
    for run in config["runs"].values():
        (folder / run["spectrum"]).write_bytes(b"")
    config["defaults"]["folder"] = str(folder)
    planned = Plan(load_experiment(config))
    assert [row["share"] for row in planned.summarize()] == [1, 5, 10, 20, 50, 100]
    assert planned.used_datasets() == []
    assert len(planned.figure_points("figure3")) == 6
