"""The published archives of ImageNet and Places365 as miniatures, made into class folders."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from commands import run_script
from torchvision.datasets import Places365
from torchvision.datasets import imagenet as archives
from torchvision.datasets.utils import calculate_md5

SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"


def tar(path: Path, files: dict[str, bytes], mode: str = "w") -> bytes:
    with tarfile.open(path, mode) as file:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path.read_bytes()


def files(root: Path) -> dict[str, bytes]:
    found = [p for split in ("train", "val") for p in (root / split).rglob("*") if p.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import fetch

    return fetch


def test_imagenet(fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    classes = {
        wnid: tar(tmp_path / f"{wnid}.tar", {f"{wnid}_1.JPEG": wnid.encode()})
        for wnid in ("n01440764", "n02102040")
    }
    root = tmp_path / "imagenet"
    root.mkdir()
    names = {split: name for split, (name, _) in archives.ARCHIVE_META.items()}
    tar(root / names["train"], {f"{wnid}.tar": content for wnid, content in classes.items()})
    images = {f"ILSVRC2012_val_0000000{i}.JPEG": str(i).encode() for i in (1, 2)}
    tar(root / names["val"], images)
    kinds = [("ILSVRC2012_ID", "i4"), ("WNID", "O"), ("words", "O"), ("gloss", "O")]
    synsets = np.array(
        [(1, "n01440764", "tench, Tinca tinca", "", 0), (2, "n02102040", "spaniel", "", 0),
         (3, "n00000001", "animal", "", 2)],
        dtype=[*kinds, ("num_children", "i4")],
    )  # fmt: skip
    scipy.io.savemat(tmp_path / "meta.mat", {"synsets": synsets})
    data = "ILSVRC2012_devkit_t12/data"
    devkit = {
        f"{data}/meta.mat": (tmp_path / "meta.mat").read_bytes(),
        f"{data}/ILSVRC2012_validation_ground_truth.txt": b"2\n1\n",  # first the spaniel
    }
    tar(root / names["devkit"], devkit, "w:gz")
    published = {split: (name, calculate_md5(root / name)) for split, name in names.items()}
    monkeypatch.setattr(archives, "ARCHIVE_META", published)
    (root / "train.partial").mkdir()  # an unpacking that was interrupted
    fetch.main(fetch.parser().parse_args(["imagenet", str(root)]))
    expected = {
        "train/n01440764/n01440764_1.JPEG": b"n01440764",
        "train/n02102040/n02102040_1.JPEG": b"n02102040",
        "val/n02102040/ILSVRC2012_val_00000001.JPEG": b"1",
        "val/n01440764/ILSVRC2012_val_00000002.JPEG": b"2",
    }
    assert files(root) == expected
    fetch.main(fetch.parser().parse_args(["imagenet", str(root)]))
    assert files(root) == expected, "what is there stays"


def test_places365(fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = {
        "data_256_standard/a/abbey/1.jpg": b"abbey",
        "data_256_standard/a/apartment_building/outdoor/2.jpg": b"house",
        "val_256/Places365_val_00000001.jpg": b"val",
    }
    for name, content in images.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lists = {
        "categories_places365.txt": "/a/abbey 0\n/a/apartment_building/outdoor 1\n",
        "places365_train_standard.txt":
            "/a/abbey/1.jpg 0\n/a/apartment_building/outdoor/2.jpg 1\n",
        "places365_val.txt": "Places365_val_00000001.jpg 1\n",
    }  # fmt: skip
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    md5 = {name: calculate_md5(tmp_path / name) for name in lists}
    name = "categories_places365.txt"
    monkeypatch.setattr(Places365, "_CATEGORIES_META", (name, md5[name]))
    published = {
        split: (name, md5[name])
        for split, name in (
            ("train-standard", "places365_train_standard.txt"),
            ("val", "places365_val.txt"),
        )
    }
    monkeypatch.setattr(Places365, "_FILE_LIST_META", published)
    fetch.main(fetch.parser().parse_args(["places365", str(tmp_path)]))
    assert files(tmp_path) == {
        "train/abbey/1.jpg": b"abbey",
        "train/apartment_building_outdoor/2.jpg": b"house",
        "val/apartment_building_outdoor/Places365_val_00000001.jpg": b"val",
    }


def test_without_the_archives_imagenet_says_the_steps(tmp_path: Path):
    run = run_script("fetch", "imagenet", tmp_path)
    assert run.returncode == 2
    assert "ILSVRC2012_img_train.tar is not there, or damaged" in run.stderr
    assert "accept the terms" in run.stderr
    assert list(tmp_path.iterdir()) == []
