"""Every source of images goes through the stages: unpack or fetch, dataset, pack, represent."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import source_files
from commands import call
from toy import experiment, save_teacher

from ssl_collapse.images.description import read_description
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.representations.file import open_representations
from ssl_collapse.runtime.errors import UserError

Patch = pytest.MonkeyPatch
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 40, 48, 3), dtype=np.uint8)
FILES = [source_files.jpeg(grey) for grey in (0, 50, 100, 150)]
NUMBERS = ["000000", "000001"]


def published(kind: str, **keys: str) -> Callable[[Path, Patch], dict[str, Any]]:
    def write(root: Path, patch: Patch) -> dict[str, Any]:
        extra = (kind,) if kind.startswith("cifar") else ()
        getattr(source_files, extra[0][:5] if extra else kind)(root, patch, *extra)
        if kind in ("imagenet", "places365"):
            call("fetch", kind, root)
        return {"kind": kind, "root": str(root), **keys}

    return write


def folders(root: Path, _: Patch) -> dict[str, Any]:
    for i, content in enumerate(FILES):
        for place in (root / "train" / "ab"[i % 2], root / "val/a"):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{i}.jpg").write_bytes(content)
    return {"kind": "imagefolder", "train": str(root / "train"), "val": str(root / "val")}


def hdf5(root: Path, _: Patch) -> dict[str, Any]:
    for split, labels in (("train", [0, 1, 0, 1]), ("val", [1, 1, 0, 0])):
        source_files.write_hdf5(root / f"{split}.h5", PIXELS, labels)
    return {"kind": "hdf5", "train": str(root / "train.h5"), "val": str(root / "val.h5")}


def webdataset(root: Path, _: Patch) -> dict[str, Any]:
    for shard in range(2):
        members = {
            f"{i}.{e}": c for i in range(2) for e, c in (("jpg", FILES[i]), ("cls", b"%d" % i))
        }
        source_files.write_tar(root / f"{shard:03d}.tar", members)
    return {"kind": "webdataset", "train": f"{root}/{{000..001}}.tar", "val": f"{root}/000.tar"}


def hugging_face(root: Path, _: Patch) -> dict[str, Any]:
    for split in ("train", "val"):
        table = source_files.hugging_face_table(FILES, [0, 1, 1, 0])
        source_files.save_to_disk(root / split, table)
    return {"kind": "huggingface", "train": str(root / "train"), "val": str(root / "val")}


# what writes it, its images in train and val, its classes
SOURCES: dict[str, tuple[Callable[[Path, Patch], dict[str, Any]], tuple[int, int], list[str]]] = {
    "imagenet": (published("imagenet"), (2, 2), list(source_files.WNIDS)),
    "places365": (published("places365"), (2, 1), ["abbey", "apartment_building_outdoor"]),
    "cifar10": (published("cifar10"), (3, 2), ["apple", "cat"]),
    "cifar100": (published("cifar100"), (3, 2), ["apple", "cat"]),
    "stl10": (published("stl10"), (3, 3), ["airplane", "bird"]),
    "stl10-unlabelled": (published("stl10", part="unlabelled"), (3, 3), ["unlabelled"]),
    "imagenette": (published("imagenette"), (2, 2), list(source_files.WNIDS)),
    "folders": (folders, (4, 4), ["a", "b"]),
    "hdf5": (hdf5, (4, 4), NUMBERS),
    "webdataset": (webdataset, (4, 2), NUMBERS),
    "huggingface": (hugging_face, (4, 4), ["cat", "dog"]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_from_the_source_to_representations(name: str, tmp_path: Path, monkeypatch: Patch):
    write, counts, classes = SOURCES[name]
    (tmp_path / "source").mkdir()
    source = write(tmp_path / "source", monkeypatch)
    # evaluated on itself where it has labels; what has none is measured on other images
    datasets = {"mine": {"source": source, "resize": 16, "crop": 12}, **experiment()["datasets"]}
    other = "textures" if name == "stl10-unlabelled" else "mine"
    keys = {"dataset": "mine", "evaluate_on": other, "batch_size": 2}
    plan = Plan(load_experiment(experiment(datasets=datasets, defaults=keys)))
    images = tmp_path / "images"
    if "mine" in plan.made_by("unpack"):
        spec = json.dumps(plan.unpack("mine"))
        sources = json.dumps({"mine": source})
        call("unpack", "--name", "mine", "--spec", spec, "--sources", sources, "--output", images)
    given = ["--folders", json.dumps({"mine": plan.folders("mine", str(images))})]
    described = tmp_path / "dataset.json"
    spec = json.dumps(plan.dataset("mine"))
    call("dataset", "--name", "mine", "--spec", spec, *given, "--output", described)
    assert read_description(described).classes == classes
    encoder = save_teacher(tmp_path / "encoder.safetensors")
    for split, count in zip(("train", "val"), counts, strict=True):
        packed, output = tmp_path / f"{split}.h5", tmp_path / f"representations-{split}.h5"
        pack = ["--split", split, "--spec", json.dumps(plan.pack("mine")), "--dataset", described]
        call("pack", *pack, *given, "--output", packed)
        assert len(PackedImages(packed)) == count
        assert (PackedImages(packed).shape.min(axis=1) == 16).all()
        crops = ["--spec", json.dumps(plan.represent("iid") | {"resize": 16, "crop": 12})]
        call("represent", *crops, "--run", "iid/seed0", "--images", packed, "--encoder", encoder,
             "--output", output, "--device", "cpu")  # fmt: skip
        rows = open_representations(output)
        assert list(rows.targets) == list(PackedImages(packed).targets)
        assert rows.n == count


def test_files_that_are_exchanged_after_planning_are_refused(tmp_path: Path, monkeypatch: Patch):
    source = hdf5(tmp_path, monkeypatch)
    datasets = {"mine": {"source": source, "resize": 16, "crop": 12}, **experiment()["datasets"]}
    spec = json.dumps(Plan(load_experiment(experiment(datasets=datasets))).unpack("mine"))
    source_files.write_hdf5(tmp_path / "val.h5", PIXELS[::-1], [1, 1, 0, 0])
    given = ["--name", "mine", "--spec", spec, "--sources", json.dumps({"mine": source})]
    with pytest.raises(UserError, match="mine: its files for val have changed since this job was"):
        call("unpack", *given, "--output", tmp_path / "images")
