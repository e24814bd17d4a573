"""Nothing that a person writes in the config is ever interpreted by a shell."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from snakemake_runs import succeed, write_config

# What a shell, a template or a line-wise reader would interpret; no file can hold a `/`.
HOSTILE = (
    "a $(touch PWNED) `touch PWNED` 'b' \"c\" {d} {{e}} ; touch PWNED; ~ * & | > PWNED #\n-x ü"
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a hostile experiment, and its whole plan with the shell commands."""
    folder = tmp_path_factory.mktemp("hostile") / HOSTILE
    rng = np.random.default_rng(0)
    for name in ("plain", HOSTILE):
        (folder / HOSTILE / "root" / name).mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / HOSTILE / "root" / name / f"{i}.png")
    np.save(folder / HOSTILE / f"{HOSTILE}.npy", np.arange(16)[::-1])
    return folder, succeed(folder, "-n", config=write_config(folder, config(folder)))


def config(folder: Path) -> dict[str, Any]:
    source = {"kind": "imagefolder", "root": f"{HOSTILE}/../{HOSTILE}/root", "val_fraction": 0.2}
    ordering = str(folder / HOSTILE / f"{HOSTILE}.npy")
    return {
        "title": HOSTILE,
        "description": f"../{HOSTILE}",
        "datasets": {"mine": {"source": source, "resize": 12, "crop": 8, "ordering": ordering}},
        "defaults": {"dataset": "mine", "backbone": {"arch": "small_resnet"}, "batch_size": 8},
        "runs": {"a": {"epochs": 1}},
        "evaluation": {"probe": {"mode": "full"}},
        "figures": {
            "f": {"kind": "schedules", "title": HOSTILE, "runs": [{"name": "a", "label": HOSTILE}]}
        },
    }


def test_every_shell_command_of_the_plan_holds_the_texts_as_they_are(planned: tuple[Path, str]):
    folder, plan = planned
    lines = re.findall(r"^ *Shell command: exec (env .*)$", plan, re.MULTILINE)
    specs = {}
    for line in lines:
        # A real shell takes the line apart; it would also do what it is told in between.
        command = ["bash", "-c", f"printf '%s\\0' {line}"]
        told = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, check=True)
        words = told.stdout.split("\0")
        script = next(Path(word).stem for word in words if word.endswith(".py"))
        for option in ("--spec", "--folders", "--orderings"):
            if option in words:
                specs[script, option] = json.loads(words[words.index(option) + 1])
    assert specs["report", "--spec"]["title"] == HOSTILE
    assert specs["report", "--spec"]["description"] == f"../{HOSTILE}"
    assert specs["figure", "--spec"]["title"] == HOSTILE
    assert specs["figure", "--spec"]["runs"][0]["label"] == HOSTILE
    assert specs["dataset", "--folders"]["mine"] == {"root": f"{HOSTILE}/../{HOSTILE}/root"}
    assert specs["ordering", "--orderings"]["mine"].endswith(f"{HOSTILE}.npy")
    assert not list(folder.rglob("PWNED"))


def test_jobs_run_on_hostile_folders_and_orderings(planned: tuple[Path, str]):
    folder, _ = planned
    data = folder / "results/data/mine"
    targets = [f"results/data/mine/{name}" for name in ("train.h5", "ordering-seed0.npy")]
    succeed(folder, "--cores", "1", *targets, config=folder / "config.yaml")
    described = json.loads((data / "dataset.json").read_text())
    assert described["classes"] == sorted(["plain", HOSTILE])
    with h5py.File(data / "train.h5") as packed:
        assert len(packed["targets"]) == 16
    assert np.load(data / "ordering-seed0.npy").tolist() == list(range(15, -1, -1))
    assert not list(folder.rglob("PWNED"))
    assert not list(folder.parent.glob("PWNED"))
