"""An interrupted training never goes on with other inputs: through the script, as jobs do."""

import importlib.util
import json
import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from toy import RECIPE, save_teacher

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import load_checkpoint, save_checkpoint
from ssl_collapse.provenance.code import code_digest
from ssl_collapse.provenance.job import LIBRARY, Record
from ssl_collapse.provenance.sidecar import Request
from ssl_collapse.runtime.errors import INTERRUPTED
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.loop import Trainer

SCRIPT = Path(__file__).parents[3] / "workflow/scripts/pretrain.py"
SPEC = {**RECIPE, "schedule": "current"}  # so that the ordering counts

# Kinds of training: keys of the spec, and options with files among the inputs.
KINDS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "plain": ({}, {}),
    "hybrid": ({"start_epoch": 1}, {"start": "checkpoints"}),
    "student": ({"method": {"name": "distillation"}}, {"teacher": "teacher"}),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("script_pretrain", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def inputs(script: ModuleType, images: PackedImages, tmp_path: Path) -> Path:
    """Images, ordering, the checkpoints of a run to start from, and a teacher."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    save_teacher(folder / "teacher")
    shutil.copy(images.path, folder / "train.h5")
    np.save(folder / "ordering.npy", np.arange(12))
    train(script, folder, folder)
    return folder


def train(
    script: ModuleType, inputs: Path, folder: Path, kind: str = "plain", provenance: str = ""
) -> None:
    keys, option = KINDS[kind]
    options = {
        "spec": json.dumps({**SPEC, **keys}),
        "images": inputs / "train.h5",
        "ordering": inputs / "ordering.npy",
        "state": folder / "state",
        "training": folder / "training.csv",
        "checkpoints": folder / "checkpoints",
        "device": "cpu",
        **({"provenance": provenance} if provenance else {}),
        **{name: inputs / file for name, file in option.items()},
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    parser = script.parser()
    parser.add_argument("--provenance")
    script.main(parser.parse_args(words))()


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Train until SIGTERM comes in the second step of epoch 2."""

    def interrupted(*arguments: Any) -> None:
        original = Trainer.step

        def step(self: Trainer, crops: Any) -> float:
            if (self.progress.epoch, self.progress.step) == (1, 1):
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, crops)

        with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
            patch.setattr(Trainer, "step", step)
            train(*arguments)
        assert stopped.value.code == INTERRUPTED

    yield interrupted


def results(folder: Path) -> dict[str, bytes]:
    files = [folder / "training.csv", *sorted((folder / "checkpoints").iterdir())]
    return {file.name: file.read_bytes() for file in files}


def other_images(inputs: Path) -> None:
    with h5py.File(inputs / "train.h5", "r+") as file:
        file["pixels"][:] = 255 - file["pixels"][:]


def other_ordering(inputs: Path) -> None:
    np.save(inputs / "ordering.npy", np.arange(12)[::-1])


def other_start(inputs: Path) -> None:
    path = inputs / "checkpoints/epoch0001.pt"
    content = load_checkpoint(path)
    content["model"]["backbone.conv1.weight"] *= 2
    save_checkpoint(path, content)


def other_teacher(inputs: Path) -> None:
    save_teacher(inputs / "teacher", width=2)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (other_images, "plain"),
        (other_ordering, "plain"),
        (other_images, "hybrid"),
        (other_start, "hybrid"),
        (other_teacher, "student"),
    ],
)
def test_with_other_inputs_it_starts_from_nothing_and_says_why(
    script: ModuleType,
    inputs: Path,
    tmp_path: Path,
    interrupt: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Path], None],
    kind: str,
):
    interrupt(script, inputs, tmp_path / "run", kind)
    change(inputs)
    with caplog.at_level(logging.INFO):
        train(script, inputs, tmp_path / "run", kind)
    assert "another recipe, other code or other inputs: this one starts from nothing" in caplog.text
    assert "resumed" not in caplog.text
    train(script, inputs, tmp_path / "undisturbed", kind)
    assert results(tmp_path / "run") == results(tmp_path / "undisturbed")


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_same_inputs_it_goes_on_and_ends_with_the_same_bytes(
    script: ModuleType,
    inputs: Path,
    tmp_path: Path,
    interrupt: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    kind: str,
):
    interrupt(script, inputs, tmp_path / "run", kind)
    for file in (inputs / "train.h5", inputs / "ordering.npy"):
        os.utime(file, (0, 0))  # a touched file is the same
    with caplog.at_level(logging.INFO):
        train(script, inputs, tmp_path / "run", kind)
    assert "resumed at epoch 1, step 2" in caplog.text
    train(script, inputs, tmp_path / "undisturbed", kind)
    assert results(tmp_path / "run") == results(tmp_path / "undisturbed")
    speed = pd.read_csv(tmp_path / "run/speed.csv")
    assert list(speed) == ["epoch", "images_per_second", "seconds"]
    assert speed["epoch"].tolist() == ([2, 3] if kind == "hybrid" else [1, 2, 3])
    assert (speed["images_per_second"] > 0).all()
    assert not (tmp_path / "run/state").exists() or not list((tmp_path / "run/state").iterdir())


def test_a_speed_that_cannot_be_written_is_no_reason_to_fail(
    script: ModuleType, inputs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "run/speed.csv").mkdir(parents=True)
    train(script, inputs, tmp_path / "run")
    assert "speed.csv was not written" in caplog.text
    assert results(tmp_path / "run") == results(inputs)


def test_who_waits_for_a_trainer_that_finishes_does_not_train_again(
    script: ModuleType, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Snakemake was killed; its trainer finished while the next one waited for its lock.
    outputs = [str(tmp_path / "training.csv"), str(tmp_path / "checkpoints")]
    code, lock, runs = code_digest(SCRIPT, LIBRARY), SavedState.locked, []
    request = Request(rule="pretrain", code=code, plugins=[], inputs=[], outputs=outputs)

    def wait(state: SavedState) -> Any:
        monkeypatch.setattr(SavedState, "locked", lock)
        train(script, inputs, tmp_path)
        Record(request, json.dumps(SPEC), SCRIPT, LIBRARY).write()
        return lock(state)

    monkeypatch.setattr("sys.argv", [str(SCRIPT)])
    monkeypatch.setattr(SavedState, "locked", wait)
    monkeypatch.setattr(Trainer, "run", lambda self, run=Trainer.run: runs.append(1) or run(self))
    train(script, inputs, tmp_path, provenance=request.model_dump_json())
    assert len(runs) == 1
    assert results(tmp_path) == results(inputs)
