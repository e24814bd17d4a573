"""Every file that a stage reads, replaced by a pickle with a payload, by half of it, by another.

A stage must refuse it with one message that names the file and says what to do, run nothing that
the file holds, and leave no result.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import call
from damaged import Payload, damages, pickles
from safetensors.numpy import save_file
from toy import RECIPE, pretrain_spec

from ssl_collapse.config.evaluation import ProbeSpec
from ssl_collapse.evaluation.probe import Probe
from ssl_collapse.evaluation.probe_cached import CachedFeatures
from ssl_collapse.figures.report import dataset_sentence
from ssl_collapse.images.description import read_description
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import save_checkpoint
from ssl_collapse.representations.file import open_representations, write_representations
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.tables.summary import knn_columns
from ssl_collapse.training.export import export_encoder
from ssl_collapse.training.loop import Runtime, Trainer

WAY_OUT = re.compile(r"\b(again|delete|remove|save|give)\b")
SPEC = {**RECIPE, "epochs": 2}
PROBE = '{"epochs": 2, "batch_size": 4}'


@dataclass(frozen=True)
class Reader:
    """A stage that reads `file`; everything is in one folder, and `outputs` must not come."""

    file: str
    run: Callable[[Path], object]
    outputs: tuple[str, ...] = ()


def pretrain(folder: Path, *start: object) -> None:
    spec = {**SPEC, "start_epoch": 1} if start else SPEC
    call("pretrain", "--spec", json.dumps(spec), "--images", folder / "packed.h5", "--ordering",
           folder / "ordering.npy", "--state", folder / "state", "--device", "cpu", "--training",
           folder / "training.csv", "--checkpoints", folder / "new", *start)  # fmt: skip


def start(folder: Path) -> None:
    pretrain(folder, "--start", folder / "checkpoints")


def probe(folder: Path, *arguments: object) -> None:
    call("probe", *arguments, "--spec", PROBE, "--device", "cpu", "--state", folder / "states",
           "--json", folder / "probe.json")  # fmt: skip


def probe_images(folder: Path) -> None:
    images = folder / "packed.h5"
    probe(folder, "--encoder", folder / "encoder.safetensors", "--images-train", images,
          "--images-val", images)  # fmt: skip


def represent(folder: Path) -> None:
    spec = {"resize": 12, "crop": 8, "mean": SPEC["mean"], "std": SPEC["std"]}
    call("represent", "--spec", json.dumps(spec), "--run", "a/seed0", "--images",
           folder / "packed.h5", "--encoder", folder / "encoder.safetensors", "--output",
           folder / "new.h5", "--device", "cpu")  # fmt: skip


def classify(folder: Path, suffix: str) -> None:
    file = folder / f"representations{suffix}"
    call("knn", file, folder / "good.h5", "--json", folder / "knn.new", "--csv",
           folder / "knn.csv", "--device", "cpu")  # fmt: skip


def measure(folder: Path, suffix: str) -> None:
    call("collapse", folder / f"representations{suffix}", "--json", folder / "collapse.new",
           "--threads", "1")  # fmt: skip


def cached(folder: Path, suffix: str) -> None:
    probe(folder, folder / f"representations{suffix}", folder / "good.h5")


def unfinished_probe(folder: Path) -> Probe:
    file, spec = open_representations(folder / "good.h5"), ProbeSpec(epochs=2, batch_size=4)
    source = CachedFeatures(file, file, spec, None)
    return Probe(source, spec, torch.device("cpu"), SavedState(folder / "probe"))


def unfinished_training(folder: Path) -> Trainer:
    spec, images = pretrain_spec(epochs=2), PackedImages(folder / "packed.h5")
    state = SavedState(folder / "training")
    state.checkpoints.mkdir(parents=True, exist_ok=True)
    return Trainer(spec, images, np.arange(12), Runtime(torch.device("cpu")), state)


TRAINED = ("training.csv", "new")
SUFFIXES = (".h5", ".pt", ".safetensors")
READERS = {
    "checkpoint, exported": Reader(
        "checkpoints/epoch0001.pt",
        lambda f: export_encoder(f / "checkpoints/epoch0001.pt", f / "new.safetensors", 1),
        ("new.safetensors",),
    ),
    "checkpoint, started from": Reader("checkpoints/epoch0001.pt", start, TRAINED),
    "state of a training": Reader("training/state.pt", lambda f: unfinished_training(f).resume()),
    "ordering": Reader("ordering.npy", pretrain, TRAINED),
    "packed images, trained on": Reader("packed.h5", pretrain, TRAINED),
    "packed images, represented": Reader("packed.h5", represent, ("new.h5",)),
    "packed images, probed": Reader("packed.h5", probe_images, ("probe.json",)),
    "encoder, represented": Reader("encoder.safetensors", represent, ("new.h5",)),
    "encoder, probed": Reader("encoder.safetensors", probe_images, ("probe.json",)),
    "representations.npy, measured": Reader(
        "representations.npy", lambda f: measure(f, ".npy"), ("collapse.new",)
    ),
    **{
        f"representations{suffix}, {what}": Reader(
            f"representations{suffix}", lambda f, s=suffix, run=run: run(f, s), (output,)
        )
        for suffix in SUFFIXES
        for what, run, output in (
            ("measured", measure, "collapse.new"),
            ("classified", classify, "knn.new"),
            ("probed", cached, "probe.json"),
        )
    },
    "state of a probe": Reader("probe/state.pt", lambda f: unfinished_probe(f).resume()),
    "dataset.json": Reader("dataset.json", lambda f: read_description(f / "dataset.json")),
    "dataset.json, reported": Reader(
        "dataset.json", lambda f: dataset_sentence(f / "dataset.json")
    ),
    "knn.json": Reader("knn.json", lambda f: knn_columns(f / "knn.json")),
}


@pytest.fixture(scope="module")
def good(images: PackedImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good file of every kind."""
    folder = tmp_path_factory.mktemp("good")
    shutil.copy(images.path, folder / "packed.h5")
    shutil.copy(images.path.with_name("dataset.json"), folder / "dataset.json")
    np.save(folder / "ordering.npy", np.arange(12))
    unfinished_training(folder).run()
    shutil.copytree(folder / "training/checkpoints", folder / "checkpoints")
    export_encoder(folder / "checkpoints/epoch0001.pt", folder / "encoder.safetensors", 1)
    rows = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    targets = np.arange(12) % 2
    for name in ("good.h5", "representations.h5"):
        write_representations(
            folder / name, 12, 4, [(rows, targets, np.arange(12))], {"num_classes": 2}
        )
    unfinished = unfinished_probe(folder)
    unfinished._save()
    np.save(folder / "representations.npy", rows)
    save_file({"representations": rows, "targets": targets}, folder / "representations.safetensors")
    content = {"representations": torch.tensor(rows), "targets": torch.tensor(targets)}
    save_checkpoint(folder / "representations.pt", content)
    call("knn", folder / "good.h5", folder / "good.h5", "--json", folder / "knn.json", "--csv",
           folder / "knn.csv", "--device", "cpu")  # fmt: skip
    (folder / "knn.csv").unlink()
    return folder


def refused(reader: Reader, folder: Path) -> str:
    """The message of a refusal; it names the file, says what to do, and left no result."""
    with pytest.raises(UserError) as error:
        reader.run(folder)
    message = str(error.value)
    assert str(folder / reader.file) in message
    assert WAY_OUT.search(message), message
    assert not [name for name in reader.outputs if (folder / name).exists()]
    return message


@pytest.mark.parametrize("name", READERS)
def test_the_good_file_is_read(good: Path, tmp_path: Path, name: str):
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    READERS[name].run(tmp_path)
    assert all((tmp_path / output).exists() for output in READERS[name].outputs)


@pytest.mark.parametrize("name", READERS)
def test_a_pickle_with_a_payload_does_not_run(good: Path, tmp_path: Path, name: str):
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    marker = tmp_path / "ran"
    for _, content in pickles(marker):
        (tmp_path / READERS[name].file).write_bytes(content)
        refused(READERS[name], tmp_path)
    assert not marker.exists()


def test_the_payload_would_run_where_it_is_let_loose(tmp_path: Path):
    touch, arguments = Payload(tmp_path / "ran").__reduce__()
    touch(*arguments)  # type: ignore[operator]
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", READERS)
def test_damaged_and_foreign_files_are_named(good: Path, tmp_path: Path, name: str):
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    file = tmp_path / READERS[name].file
    for damage, content in damages(file.read_bytes()):
        file.unlink()
        file.mkdir() if content is None else file.write_bytes(content)
        try:
            refused(READERS[name], tmp_path)
        except AssertionError as error:
            raise AssertionError(f"{damage}: {error}") from None
