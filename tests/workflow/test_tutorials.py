"""docs/tutorials, typed to the letter in a copy of the project.

A file that the reader writes stands under its name: "`mine.yaml`:" alone on a line, then its block.
A block of bash or Python is run as it stands; a block of text under it is what it prints, where a
line "..." stands for any lines. A comment before a block says that it fails, or why it is not run.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from snakemake_runs import ROOT

PAGES = ROOT / "docs/tutorials"
STEP = re.compile(
    r"^(?:`(?P<file>[\w.]+)`:\n\n|<!-- (?P<comment>[^>]*) -->\n)?"
    r"```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
LEFT_OUT = {"needs a bucket", "needs a cluster", "needs ImageNet", "takes minutes"}
WITHOUT_RESULTS = ("slurm", "imagenet")
WITH_RESULTS = ("checkpoint", "representations", "images", "reruns", "recovery")
GOES_ON_FROM = {"reruns": "images", "recovery": "images"}
COPIED = ["Snakefile", "Makefile", "config.yaml", "pyproject.toml"]
COPIED += ["configs", "envs", "profiles", "rules", "workflow"]


class Reader:
    """Somebody who types what the pages say, in a project with its environment and files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: set[str] = set()
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, folder / name)
        environment = folder / ".venv"
        environment.mkdir()
        for path in Path(sys.prefix).iterdir():
            if path.name != "installed":
                (environment / path.name).symlink_to(path)
        (environment / "installed").touch()  # newer than the pins: `make` installs nothing
        own = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        path = f"{environment / 'bin'}:{os.environ['PATH']}"
        self.environment = {**own, "PATH": path, "PYTHONPATH": str(folder / "workflow")}

    def follow(self, page: str) -> None:
        """Type a page, after the one that it goes on from."""
        if page in self.read:
            return
        if page in GOES_ON_FROM:
            self.follow(GOES_ON_FROM[page])
        self.read.add(page)
        printed = ""
        for step in STEP.finditer((PAGES / f"{page}.md").read_text("utf-8")):
            comment = step["comment"] or ""
            if step["file"]:
                (self.folder / step["file"]).write_text(step["text"], "utf-8")
            elif step["kind"] == "text":
                assert shows(printed, step["text"]), f"{step['text']}\nnot in:\n{printed}"
            elif step["kind"] in ("bash", "python") and not comment.startswith("not run"):
                code = int(comment.removeprefix("exit code ") or 0)
                printed = self.type(step["kind"], step["text"], code)

    def type(self, program: str, text: str, code: int) -> str:
        """Run a block; returns what it prints."""
        option = ["-e"] if program == "bash" else []
        done = subprocess.run(
            [program, *option], input=text, cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        # Snakemake's own code is 1; make gives every failure of a recipe as 2
        assert done.returncode == code, f"{text}\n{done.stdout[-5000:]}"
        return done.stdout


def shows(printed: str, expected: str) -> bool:
    """Whether text was printed as a page has it."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n"
        for line in expected.splitlines()
    ]
    return re.fullmatch("".join(lines), printed) is not None


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The files that stand for the reader's: photographs, a checkpoint, representations."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    for name, brightest in (("bark", 120), ("brick", 255)):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, brightest, (6, 8, 3), dtype=np.uint8)
            photo = Image.fromarray(pixels).resize((64, 48))
            photo.save(folder / f"photos/{name}/{number:02d}.jpg")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), folder / "encoder.pth")
    for split, rows in (("train", 60), ("val", 30)):
        targets = np.arange(rows) % 2
        x = rng.standard_normal((rows, 8), dtype=np.float32) + targets[:, None]
        np.savez(folder / f"{split}.npz", representations=x, targets=targets)
    return Reader(folder)


@pytest.mark.parametrize("page", WITHOUT_RESULTS)
def test_plans_without_what_they_need(reader: Reader, page: str):
    reader.follow(page)
    assert not (reader.folder / "results").exists()  # dry runs write nothing


def test_targets_say_what_they_are_and_complete_in_the_shell(reader: Reader):
    page = (ROOT / "docs/README.md").read_text("utf-8")
    (block,) = re.findall(r"^```bash\n(.*?)^```$", page, re.M | re.S)
    text = f"{block}complete -p snakemake | tr '\\n' ' '; echo; snakemake --list 2> /dev/null\n"
    completed, *targets = reader.type("bash", text, 0).splitlines()
    assert "figure_shares" in completed and len(targets) > 20
    assert [line for line in targets if not re.fullmatch(r"\w+ \(.+\.\)", line)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("page", WITH_RESULTS)
def test_what_the_page_says_happens(reader: Reader, page: str):
    reader.follow(page)
    made = {"checkpoint": "audit-encoder.pth/audit.html", "images": "results/report.html"}
    assert (reader.folder / made.get(page, "")).exists()


def test_every_page_is_followed_and_nothing_else_is_left_out():
    pages = {path.stem for path in PAGES.glob("*.md")}
    assert pages == {*WITHOUT_RESULTS, *WITH_RESULTS}
    for path in PAGES.glob("*.md"):
        text = path.read_text("utf-8")
        steps = list(STEP.finditer(text))
        assert len(steps) == text.count("```") / 2
        comments = {step["comment"] for step in steps} - {None, "exit code 1", "exit code 2"}
        assert comments <= {f"not run: {reason}" for reason in LEFT_OUT}


def test_what_differs_from_a_page_is_seen():
    assert shows("a\nb\nc\n", "a\n...\nc\n") and shows("a\n", "...\na\n")
    assert not shows("a\nb\n", "a\n") and not shows("a\n", "b\n...\n")
