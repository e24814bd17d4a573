"""Datasets in miniature, in the form in which their sources publish or write them."""

import hashlib
import io
import json
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
import scipy.io
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100, STL10, Imagenette, Places365
from torchvision.datasets import imagenet as archives

RNG = np.random.default_rng(0)
WNIDS = ("n01440764", "n02102040")


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def write_tar(path: Path, members: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A .tar, or with mode "w:gz" a .tar.gz; returns its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path.read_bytes()


def archive(path: Path, folder: str, files: Mapping[str, bytes]) -> str:
    """A .tar.gz as it is published; returns its md5."""
    return md5(write_tar(path, {f"{folder}/{n}": c for n, c in files.items()}, "w:gz"))


def jpeg(grey: int, width: int = 20, height: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (grey,) * 3).save(buffer, "JPEG")
    return buffer.getvalue()


def cifar(root: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> np.ndarray:
    """Three training images, of apple, cat, apple, and two others, of cat, apple."""
    published: Any = {"cifar10": CIFAR10, "cifar100": CIFAR100}[kind]
    images = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    flat = images.transpose(0, 3, 1, 2).reshape(5, -1)  # a row: all red, then green, then blue
    label = "labels" if kind == "cifar10" else "fine_labels"
    name = published.meta["filename"]
    contents = {
        "train": pickle.dumps({"data": flat[:3], label: [1, 0, 1]}, protocol=2),
        "test": pickle.dumps({"data": flat[3:], label: [0, 1]}, protocol=2),
        name: pickle.dumps({published.meta["key"]: ["cat", "apple"]}, protocol=2),
    }
    checksum = archive(root / published.filename, published.base_folder, contents)
    monkeypatch.setattr(published, "tgz_md5", checksum)
    for part in ("train", "test"):
        monkeypatch.setattr(published, f"{part}_list", [[part, md5(contents[part])]])
    monkeypatch.setattr(published, "meta", {**published.meta, "md5": md5(contents[name])})
    return images


def stl10(root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Three images each of train, test and unlabelled; classes count from 1."""
    images = RNG.integers(0, 256, (9, 96, 96, 3), dtype=np.uint8)
    # column by column, colour by colour
    stored = [chunk.transpose(0, 3, 2, 1).tobytes() for chunk in np.split(images, 3)]
    files = {
        "train_X.bin": stored[0], "test_X.bin": stored[1], "unlabeled_X.bin": stored[2],
        "train_y.bin": bytes([1, 2, 2]), "test_y.bin": bytes([2, 1, 1]),
        "class_names.txt": b"airplane\nbird\n", "fold_indices.txt": b"0 1 2\n",
    }  # fmt: skip
    checksum = archive(root / STL10.filename, STL10.base_folder, files)
    monkeypatch.setattr(STL10, "tgz_md5", checksum)
    for part in ("train_list", "test_list"):
        names = [name for name, _ in getattr(STL10, part)]
        monkeypatch.setattr(STL10, part, [[name, md5(files[name])] for name in names])
    return images


def imagenette(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """One image of each of two classes in both splits; returns the files."""
    files = {
        f"{split}/{wnid}/{split}_{number}.JPEG": jpeg(100 * number + len(split), 200, 160)
        for split in ("train", "val")
        for number, wnid in enumerate(WNIDS)
    }
    checksum = archive(root / "imagenette2-160.tgz", "imagenette2-160", files)
    url = Imagenette._ARCHIVES["160px"][0]
    monkeypatch.setattr(Imagenette, "_ARCHIVES", {"160px": (url, checksum)})
    return files


def imagenet(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The three archives, of two classes; returns what is to come of them, by its path."""
    names = {split: name for split, (name, _) in archives.ARCHIVE_META.items()}
    first, second = (jpeg(grey) for grey in (50, 60))
    made = {f"train/{wnid}/{wnid}_1.JPEG": jpeg(k) for k, wnid in enumerate(WNIDS)}
    inner = {
        f"{wnid}.tar": write_tar(root / "inner.tar", {f"{wnid}_1.JPEG": content})
        for wnid, content in zip(WNIDS, made.values(), strict=True)
    }
    (root / "inner.tar").unlink()
    write_tar(root / names["train"], inner)
    images = {"ILSVRC2012_val_00000001.JPEG": first, "ILSVRC2012_val_00000002.JPEG": second}
    write_tar(root / names["val"], images)
    kinds = [("ILSVRC2012_ID", "i4"), ("WNID", "O"), ("words", "O"), ("gloss", "O")]
    synsets = np.array(
        [(1, WNIDS[0], "tench, Tinca tinca", "", 0), (2, WNIDS[1], "English springer", "", 0),
         (3, "n00000001", "animal", "", 2)],
        dtype=[*kinds, ("num_children", "i4")],
    )  # fmt: skip
    meta = io.BytesIO()
    scipy.io.savemat(meta, {"synsets": synsets})
    data = "ILSVRC2012_devkit_t12/data"
    devkit = {
        f"{data}/meta.mat": meta.getvalue(),
        f"{data}/ILSVRC2012_validation_ground_truth.txt": b"2\n1\n",  # first the springer
    }
    write_tar(root / names["devkit"], devkit, "w:gz")
    checksums = {split: (name, md5((root / name).read_bytes())) for split, name in names.items()}
    monkeypatch.setattr(archives, "ARCHIVE_META", checksums)
    return {
        **made,
        f"val/{WNIDS[1]}/ILSVRC2012_val_00000001.JPEG": first,
        f"val/{WNIDS[0]}/ILSVRC2012_val_00000002.JPEG": second,
    }


def places365(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The three archives, of two classes; returns what is to come of them, by its path."""
    abbey, house, val = (jpeg(grey) for grey in (10, 20, 30))
    train = {"a/abbey/1.jpg": abbey, "a/apartment_building/outdoor/2.jpg": house}
    content = {
        "standard": {
            "categories_places365.txt": b"/a/abbey 0\n/a/apartment_building/outdoor 1\n",
            "places365_train_standard.txt": b"".join(
                f"/{name} {i}\n".encode() for i, name in enumerate(train)
            ),
            "places365_val.txt": b"Places365_val_00000001.jpg 1\n",
        },
        "train-standard": {f"data_256/{name}": image for name, image in train.items()},
        "val": {"val_256/Places365_val_00000001.jpg": val},
    }
    lists = {name: (name, md5(text)) for name, text in content["standard"].items()}
    monkeypatch.setattr(Places365, "_CATEGORIES_META", lists["categories_places365.txt"])
    by_split = {
        split: lists[Places365._FILE_LIST_META[split][0]] for split in ("train-standard", "val")
    }
    monkeypatch.setattr(Places365, "_FILE_LIST_META", by_split)
    for part, table in (("standard", "_DEVKIT_META"), ("train-standard", ""), ("val", "")):
        key: Any = part if table else (part, True)
        metas = getattr(Places365, table or "_IMAGES_META")
        name = metas[key][0]
        checksum = md5(write_tar(root / name, content[part]))
        monkeypatch.setitem(metas, key, (name, checksum))
    return {
        "train/abbey/1.jpg": abbey,
        "train/apartment_building_outdoor/2.jpg": house,
        "val/apartment_building_outdoor/Places365_val_00000001.jpg": val,
    }


def hugging_face_table(files: list[bytes], labels: list[int], features: bool = True) -> pa.Table:
    """As `datasets` writes Image and ClassLabel columns."""
    rows = pa.array([{"bytes": content, "path": None} for content in files])
    columns = pa.table({"image": rows, "label": pa.array(labels)})
    info = {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}
    metadata = {"huggingface": json.dumps({"info": info})}
    return columns.replace_schema_metadata(metadata) if features else columns


def save_to_disk(folder: Path, table: pa.Table) -> None:
    """As `datasets.Dataset.save_to_disk` writes one shard."""
    folder.mkdir(parents=True)
    name = "data-00000-of-00001.arrow"
    with pa.ipc.new_stream(folder / name, table.schema) as stream:
        stream.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))


def write_hdf5(path: Path, images: np.ndarray, targets: list[int]) -> None:
    with h5py.File(path, "w") as file:
        file["images"], file["targets"] = images, targets
