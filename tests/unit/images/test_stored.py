"""A user's images in HDF5, WebDataset and Hugging Face files, written as their tools write them."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from source_files import hugging_face_table, save_to_disk, write_hdf5, write_tar

from ssl_collapse.config.dataset import StoredSource
from ssl_collapse.images.class_folders import Item, as_png
from ssl_collapse.images.stored import stored_files, stored_images
from ssl_collapse.runtime.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3), dtype=np.uint8)
FILES = [as_png(image) for image in IMAGES]


def read(kind: str, *paths: Path, **keys: str) -> list[Item]:
    written = [str(path) for path in paths]
    source = StoredSource(kind=kind, train=written, val=written, **keys)
    return list(stored_images(source, stored_files(kind, source.files()["train"])))


def pixels(items: list[Item]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(item.content))) for item in items])


def labels(items: list[Item]) -> list[str]:
    return [item.label for item in items]


def test_hdf5_of_pixels(tmp_path: Path):
    write_hdf5(tmp_path / "a.h5", IMAGES, [2, 0, 10])
    items = read("hdf5", tmp_path / "a.h5")
    assert labels(items) == ["000002", "000000", "000010"], "so that names sort as numbers do"
    np.testing.assert_array_equal(pixels(items), IMAGES)


def test_hdf5_of_files_under_other_names_with_named_classes(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("jpegs", (3,), h5py.vlen_dtype(np.uint8))
        for row, content in enumerate(FILES):
            stored[row] = np.frombuffer(content, np.uint8)
        file["y"] = [1, 0, 1]
        file.attrs["classes"] = ["cat", "dog"]
    items = read("hdf5", tmp_path / "a.h5", image="jpegs", label="y")
    assert items == [Item(n, f, ".png") for n, f in zip(("dog", "cat", "dog"), FILES, strict=True)]


def test_webdataset_shards(tmp_path: Path):
    shards = (
        {"a/0.png": FILES[0], "a/0.cls": b"7", "a/1.cls": b"12\n", "a/1.PNG": FILES[1]},
        {"2.png": FILES[2], "2.cls": b"fish", "2.json": b"{}"},
    )
    for number, members in enumerate(shards):
        write_tar(tmp_path / f"train-00{number}.tar", members)
    items = read("webdataset", tmp_path / "train-{000..001}.tar")
    assert labels(items) == ["000007", "000012", "fish"]
    assert [item.content for item in items] == FILES
    assert read("webdataset", tmp_path / "train-*.tar") == items


def table(features: bool = True) -> pa.Table:
    return hugging_face_table(FILES, [1, 0, 1], features)


def test_hugging_face_on_disk_and_parquet(tmp_path: Path):
    folder = tmp_path / "saved/train"
    save_to_disk(folder, table())
    (tmp_path / "saved/dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))
    items = read("huggingface", folder)
    assert items == [Item(n, f, ".png") for n, f in zip(("dog", "cat", "dog"), FILES, strict=True)]
    pq.write_table(table(), tmp_path / "0.parquet")
    assert read("huggingface", tmp_path / "0.parquet") == items
    pq.write_table(table(features=False), tmp_path / "1.parquet")
    assert labels(read("huggingface", tmp_path / "1.parquet")) == ["000001", "000000", "000001"]
    with pytest.raises(UserError, match=r"holds the splits train; name the folder of one"):
        read("huggingface", tmp_path / "saved")


def test_bad_files_are_named_with_the_row_and_the_reason(tmp_path: Path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["pictures"], file["targets"] = IMAGES, [0, 1, 2]
    tars = {"t": {}, "u": {"7.png": FILES[0]}, "v": {"7.png": b"x", "7.cls": b"1"}}
    for name, members in tars.items():
        write_tar(tmp_path / f"{name}.tar", members)
    cases = [
        ("hdf5", path, {}, "it has no dataset 'images'; it has pictures, targets"),
        ("hdf5", path, {"image": "targets", "label": "pictures"}, r"expected \(3,\)"),
        ("hdf5", path, {"image": "targets", "label": "targets"}, "row 0 is no image"),
        ("hdf5", tmp_path / "none.h5", {}, "there is no such file"),
        ("hdf5", tmp_path / "t.tar", {}, "cannot be read as hdf5"),
        ("webdataset", tmp_path / "u.tar", {},
         r"7 has 1 images and the parts \.png; expected one image and \.cls"),
        ("webdataset", tmp_path / "v.tar", {}, "7 is no image"),
        ("huggingface", path, {}, "cannot be read as huggingface"),
    ]  # fmt: skip
    for kind, file, keys, message in cases:
        with pytest.raises(UserError, match=message):
            read(kind, file, **keys)
