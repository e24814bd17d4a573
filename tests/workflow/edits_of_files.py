"""Edits of results, images and source files, and the jobs that each must cause.

Which source file belongs to which stage is tried file by file in unit/provenance/test_wall.py.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from edits_of_config import Edit, put
from expected_jobs import ALL, NOTHING, below
from finished_experiment import Experiment
from PIL import Image

LIBRARY = "workflow/ssl_collapse"


def on(path: str, change: Callable[[Path], object]) -> Callable[[Experiment], None]:
    """Do something to one path of the project."""
    return lambda experiment: change(experiment.folder / path) and None


# --- results -------------------------------------------------------------------------------------
def delete(*patterns: str) -> Callable[[Experiment], None]:
    def apply(experiment: Experiment) -> None:
        for path in [p for pattern in patterns for p in experiment.folder.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def touch(*patterns: str) -> Callable[[Experiment], None]:
    """New dates for all files that fit, the last first."""

    def apply(experiment: Experiment) -> None:
        files = [path for pattern in patterns for path in experiment.folder.glob(pattern)]
        for path in sorted(files, reverse=True):
            if path.is_file():
                path.touch()

    return apply


def flip_last_bit(path: Path) -> None:
    """Another content of the same size and date."""
    state, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


KNN = "results/runs/iid/seed0/epoch0004/knn.json"
RESULTS = [
    Edit("deleted: representations", delete("results/runs/*/*/*/representations-val.h5"),
         below("represent */val")),
    Edit("deleted: everything of a run", delete("results/runs/last"), below("pretrain last/*")),
    Edit("deleted: all of Snakemake's records", delete(".snakemake"), NOTHING),
    Edit("deleted: all that is known of the results",
         delete(".snakemake", "results/**/*.provenance.json"), frozenset(ALL.above)),
    Edit("edited: a result, its size and date kept", on(KNN, flip_last_bit),
         below("knn iid/seed0/epoch0004")),
    Edit("every file touched", touch("**/*"), NOTHING),
    Edit("the whole project moved, nothing else", lambda experiment: None, NOTHING),
]  # fmt: skip

# --- images --------------------------------------------------------------------------------------
CAT = "images/photos/train/cat"
PHOTOS = below("dataset photos")


def redraw(path: Path) -> None:
    """Another image under the same name."""
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    other.save(path)


def copy_elsewhere(experiment: Experiment) -> None:
    """The same files in another folder, with new dates, and a hidden one beside them."""
    old, new = experiment.folder / "images", experiment.folder / "elsewhere"
    shutil.copytree(old, new, copy_function=shutil.copyfile)
    shutil.rmtree(old)
    (new / "photos/train/cat/.DS_Store").touch()
    folders = {split: f"elsewhere/photos/{split}" for split in ("train", "val")}
    source = {f"datasets.photos.source.{split}": path for split, path in folders.items()}
    source["datasets.scans.source.root"] = "elsewhere/scans"
    put("", source, NOTHING).apply(experiment)


def relabel(cat: Path) -> None:
    (cat / "3.png").rename(cat.with_name("dog") / "9.png")


IMAGES = [
    Edit("images: copied to another folder", copy_elsewhere, NOTHING),
    Edit("images: one changed", on(f"{CAT}/0.png", redraw), PHOTOS),
    Edit("images: one relabelled", on(CAT, relabel), PHOTOS),
    Edit("images: one changed in val", on("images/photos/val/cat/0.png", redraw), PHOTOS),
    Edit("images: one changed in another dataset", on("images/scans/cat/0.png", redraw),
         below("dataset scans")),
]  # fmt: skip


# --- source files --------------------------------------------------------------------------------
def reword(experiment: Experiment) -> None:
    """A comment in every source file, and another docstring of every rule."""
    for pattern in ("workflow/**/*.py", "rules/*.smk", "Snakefile", "envs/environment.yaml"):
        for path in experiment.folder.glob(pattern):
            path.write_text(f"# a comment\n{path.read_text()}")
    for path in experiment.folder.glob("rules/*.smk"):
        path.write_text(re.sub('    """.*"""\n', '    """Words."""\n', path.read_text()))


def append(path: str, text: str) -> Callable[[Experiment], None]:
    return on(path, lambda file: file.write_text(f"{file.read_text()}\n{text}\n"))


SOURCES = [
    Edit("other comments and docstrings everywhere", reword, NOTHING),
    Edit("a new version", append(f"{LIBRARY}/__init__.py", '__version__ = "99"'), NOTHING),
    Edit("a changed measure", append(f"{LIBRARY}/evaluation/measures/spectral.py", "X = 1"),
         below("collapse *")),
]  # fmt: skip

FILE_EDITS = [*RESULTS, *IMAGES, *SOURCES]
