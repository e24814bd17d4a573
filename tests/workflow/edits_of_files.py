"""Edits of results, images and source files, and the jobs that each must cause."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from conftest import ROOT
from edits_of_config import Edit, put
from expected_jobs import ALL, NOTHING, RUNS, below
from finished_experiment import Experiment
from PIL import Image

# --- results -------------------------------------------------------------------------------------
POINT = "runs/iid/seed0/epoch0004"
# result: the job that makes it
RESULTS = {
    "data/textures/images": "textures textures",
    "data/textures/dataset.json": "dataset textures",
    "data/textures/train.h5": "pack textures/train",
    "data/textures/ordering-seed0.npy": "ordering textures/seed0",
    "runs/iid/seed0/training.csv": "pretrain iid/seed0",
    "runs/iid/seed0/checkpoints": "pretrain iid/seed0",
    f"{POINT}/encoder.safetensors": "export_checkpoint iid/seed0/epoch0004",
    f"{POINT}/representations-train.h5": "represent iid/seed0/epoch0004/train",
    f"{POINT}/knn.json": "knn iid/seed0/epoch0004",
    f"{POINT}/collapse.json": "collapse iid/seed0/epoch0004",
    f"{POINT}/probe.json": "probe iid/seed0/epoch0004",
    "tables/summary.csv": "summarize",
    "figures/shares.png": "figure shares",
    "report.html": "report",
}
# What the default target asks for. Other results may be deleted to save space: they are made
# again only when something that reads them runs.
TARGETS = ("tables/summary.csv", "figures/shares.png", "report.html")


CHECKPOINTS = "results/runs/current/seed0/checkpoints"
STAMP = ".snakemake_timestamp"  # in each folder that is one result: the folder's date


def delete(*results: str) -> Callable[[Experiment], None]:
    def apply(experiment: Experiment) -> None:
        for result in results:
            path = experiment.folder / "results" / result
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def truncate(result: str) -> Callable[[Experiment], None]:
    return lambda experiment: os.truncate(experiment.folder / "results" / result, 1)


def touch(*patterns: str) -> Callable[[Experiment], None]:
    """New dates for all files that fit, the last first."""

    def apply(experiment: Experiment) -> None:
        files = [path for pattern in patterns for path in experiment.folder.glob(pattern)]
        assert files
        for path in sorted(files, reverse=True):
            if path.is_file() and path.name != STAMP:
                path.touch()

    return apply


DELETED = [
    *(
        Edit(f"deleted: {result}", delete(result), below(job) if result in TARGETS else NOTHING)
        for result, job in RESULTS.items()
    ),
    Edit("deleted: everything of a run", delete("runs/last"), NOTHING),
    Edit(
        "deleted: everything of a run, and a figure that needs it",
        delete("runs/iid", "figures/spectra.pdf"),
        below("pretrain iid/*"),
    ),
    Edit(
        "all records lost, and no provenance beside the results",
        delete("../.snakemake/metadata"),
        frozenset(ALL.above) - ALL.matching("dataset photos", "dataset scans"),  # made for real
    ),
]
# Snakemake takes a result that it has on record as it is: what reads a truncated file runs again
# (and fails on it), the file itself is only found by `verify`.
TRUNCATED = [
    Edit(f"truncated: {result}", truncate(result), below(job) - ALL.matching(job))
    for result, job in RESULTS.items()
    if Path(result).suffix and not job.startswith("pretrain")
] + [
    Edit("truncated: runs/iid/seed0/training.csv", truncate("runs/iid/seed0/training.csv"),
         below("summarize")),
]  # fmt: skip
DATES = [
    Edit("every result touched", touch("results/**/*"), NOTHING),
    # Snakemake compares files by content, folders by date: copy with dates (`cp -a`, `rsync -a`).
    Edit("a folder of checkpoints touched",
         lambda experiment: (experiment.folder / CHECKPOINTS / STAMP).touch(),
         below("export_checkpoint current/seed0/*", "pretrain hybrid/seed0")),
    Edit("every image touched", touch("images/**/*"), NOTHING),
    Edit("every source file touched", touch("Snakefile", "rules/*", "workflow/**/*", "envs/*"),
         NOTHING),
    Edit("the config touched", touch("config.yaml"), NOTHING),
    Edit("the whole project moved, nothing else", lambda experiment: None, NOTHING),
]  # fmt: skip

# --- images --------------------------------------------------------------------------------------
CAT, DOG = "images/photos/train/cat", "images/photos/train/dog"
PHOTOS = below("dataset photos")


def on(path: str, change: Callable[[Path], object]) -> Callable[[Experiment], None]:
    """Do something to one path of the project."""
    return lambda experiment: change(experiment.folder / path) and None


def redraw(path: Path) -> None:
    """Another image under the same name."""
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    other.save(path)


def redraw_with_same_size_and_date(path: Path) -> None:
    state, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def rewrite(path: Path) -> None:
    """The same bytes as a new file."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def relocate(move: Callable[[Path, Path], object]) -> Callable[[Experiment], None]:
    def apply(experiment: Experiment) -> None:
        move(experiment.folder / "images", experiment.folder / "elsewhere")
        folders = {split: f"elsewhere/photos/{split}" for split in ("train", "val")}
        source = {f"datasets.photos.source.{split}": path for split, path in folders.items()}
        source["datasets.scans.source.root"] = "elsewhere/scans"
        put("", source, NOTHING).apply(experiment)

    return apply


def change_and_change_back(experiment: Experiment) -> None:
    path = experiment.folder / CAT / "0.png"
    before = path.read_bytes()
    redraw(path)
    assert experiment.would_run() == PHOTOS
    path.write_bytes(before)


def copy_without_dates(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=shutil.copyfile)


IMAGES = [
    Edit("images: rewritten with the same bytes", on(f"{CAT}/0.png", rewrite), NOTHING),
    Edit("images: moved to another folder", relocate(shutil.move), NOTHING),
    Edit("images: copied to another folder, with new dates", relocate(copy_without_dates), NOTHING),
    Edit("images: a hidden file beside them", on(f"{CAT}/.DS_Store", Path.touch), NOTHING),
    Edit("images: changed and changed back", change_and_change_back, NOTHING),
    Edit("images: one changed", on(f"{CAT}/0.png", redraw), PHOTOS),
    Edit("images: one changed in val", on("images/photos/val/cat/0.png", redraw), PHOTOS),
    Edit("images: one added", on(CAT, lambda cat: shutil.copy(cat / "0.png", cat / "9.png")),
         PHOTOS),
    Edit("images: one removed", on(f"{CAT}/3.png", Path.unlink), PHOTOS),
    Edit("images: one renamed", on(f"{CAT}/3.png", lambda p: p.rename(p.with_name("7.png"))),
         PHOTOS),
    Edit("images: one relabelled",
         on(CAT, lambda cat: (cat / "3.png").rename(cat.with_name("dog") / "9.png")), PHOTOS),
    Edit("images: two swapped between classes",
         on(CAT, lambda cat: swap(cat / "0.png", cat.with_name("dog") / "0.png")), PHOTOS),
    Edit("images: a class renamed", on(DOG, lambda dog: dog.rename(dog.with_name("wolf"))), PHOTOS),
    Edit("images: one changed in another dataset", on("images/scans/cat/0.png", redraw),
         below("dataset scans")),
    Edit("images: one changed with its size and date kept (only `verify` reads it)",
         on(f"{CAT}/0.png", redraw_with_same_size_and_date), NOTHING),
]  # fmt: skip


def swap(one: Path, other: Path) -> None:
    """Exchange the content of two files."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


# --- source files --------------------------------------------------------------------------------
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("scripts/*.py", "ssl_collapse/**/*.py", "ssl_collapse/**/*.jinja")
    for path in (ROOT / "workflow").glob(pattern)
)


def everywhere(change: Callable[[str], str], *patterns: str) -> Callable[[Experiment], None]:
    """Rewrite every Python file of the library and the scripts, or all files that fit."""

    def apply(experiment: Experiment) -> None:
        for pattern in patterns or ("workflow/**/*.py",):
            for path in experiment.folder.glob(pattern):
                path.write_text(change(path.read_text()))

    return apply


def comment(code: str) -> str:
    """A comment before and after."""
    return f"# a comment\n{code}\n# another comment\n"


def reformat(code: str) -> str:
    """Other line breaks, quotes, parentheses and spaces; no comments."""
    return ast.unparse(ast.parse(code))


def redocument(code: str) -> str:
    """Another docstring in every module, class and function."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node) is not None:
                node.body.pop(0)
            node.body.insert(0, ast.Expr(ast.Constant("Other words.")))
    return ast.unparse(ast.fix_missing_locations(tree))


def reorder_imports(code: str) -> str:
    """Neighbouring imports the other way round."""
    lines = reformat(code).split("\n")
    blocks: list[list[str]] = [[]]
    for line in lines:
        if not re.match(r"(import|from) ", line):
            blocks.append([line])
            blocks.append([])
        else:
            blocks[-1].insert(0, line)
    return "\n".join(line for block in blocks for line in block)


def new_backbone(experiment: Experiment) -> None:
    """A family of backbones that no run uses."""
    library = experiment.folder / "workflow/ssl_collapse"
    for room in ("config", "models"):
        code = (library / room / "backbones/small_resnet.py").read_text()
        code = code.replace('"small_resnet"', '"tiny_resnet"')
        (library / room / "backbones/tiny_resnet.py").write_text(code)


SOURCES = [
    Edit("a comment in every Python file", everywhere(comment), NOTHING),
    Edit("every Python file reformatted", everywhere(reformat), NOTHING),
    Edit("another docstring everywhere", everywhere(redocument), NOTHING),
    Edit("imports in another order everywhere", everywhere(reorder_imports), NOTHING),
    Edit("a comment in the Snakefile and every rule file",
         everywhere(lambda text: f"# a comment\n{text}", "Snakefile", "rules/*.smk"), NOTHING),
    Edit("another docstring of every rule",
         everywhere(lambda text: re.sub('    """.*"""\n', '    """Words."""\n', text), "rules/*"),
         NOTHING),
    Edit("another command line of a rule",
         everywhere(lambda t: t.replace("r:q} --output", "r:q} --epoch 1 --output"), "rules/*"),
         below("represent *")),
    Edit("a new backbone", new_backbone, NOTHING),
    Edit("a new module that nothing imports",
         on("workflow/ssl_collapse/models/new.py", lambda path: path.write_text("X = 1\n")),
         NOTHING),
    Edit("another comment in the environment file",
         everywhere(lambda text: f"# a comment\n{text}", "envs/environment.yaml"), NOTHING),
]  # fmt: skip

# Python's own answer to what a script imports, asked without running it.
IMPORTS = """
import gc, json, os, runpy, sys
import h5py, pandas, pydantic, scipy.stats, seaborn, sklearn, torch, torchvision
gc.freeze()
for script in sys.argv[1:]:
    if os.fork() == 0:
        runpy.run_path(script, run_name="imported")
        print(json.dumps([script, [m for m in sys.modules if m.split(".")[0] == "ssl_collapse"]]),
              flush=True)
        os._exit(0)
    os.wait()
os._exit(0)
"""
# Imported inside functions, so that a run which does not need them does not wait for them.
LATE = {
    "ssl_collapse.evaluation.neighbors_torch": "knn",
    "ssl_collapse.evaluation.faiss_import": "knn",
    "ssl_collapse/figures/report.html.jinja": "report",
}
FAMILY = re.compile(r"ssl_collapse\.(config|models)\.(backbones|methods)(\.(?P<family>\w+))?")


@cache
def importers() -> dict[str, set[str]]:
    """Module -> the stages whose script imports it."""
    scripts = [str(path) for path in sorted((ROOT / "workflow/scripts").glob("*.py"))]
    command = [sys.executable, "-c", IMPORTS, *scripts]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    answer = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, set[str]] = {}
    for line in answer.stdout.splitlines():
        script, modules = json.loads(line)
        for module in modules:
            found.setdefault(module, set()).add(Path(script).stem)
    return found


def stages_of(path: str) -> frozenset[str]:
    """The jobs that must run after a real edit of a file of the library, and all below them."""
    if path.startswith("workflow/scripts/"):
        return _below({Path(path).stem})
    name = path.removeprefix("workflow/")
    if name.endswith(".py"):
        name = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if match := FAMILY.fullmatch(name):
        return below(*(f"pretrain {run}/*" for run in RUNS if _uses(run, match["family"])))
    return _below(importers().get(name, set()) | {LATE.get(name, "why")})


def _uses(run: str, family: str | None) -> bool:
    other = "small_resnet" if run == "last" else "torchvision_resnet"
    return family != other


def _below(stages: set[str]) -> frozenset[str]:
    stages -= {"why", "verify"}  # of no rule that makes a result
    return below(*(f"{stage}*" for stage in stages)) if stages else NOTHING


def edit_module(path: str, experiment: Experiment) -> None:
    """A constant more, or in a template a word."""
    with (experiment.folder / path).open("a") as file:
        file.write("\nEDITED = True\n")


CODE = [
    Edit(path.removeprefix("workflow/"), partial(edit_module, path), partial(stages_of, path))
    for path in MODULES
]
FILE_EDITS = [*DELETED, *TRUNCATED, *DATES, *IMAGES, *SOURCES, *CODE]
