"""A finished experiment that can be edited, and Snakemake's own answer to what it would run.

Nothing is trained: the planned results are files made up on the spot, which `snakemake --touch`
records as its own. Only the `dataset` stage runs for real, because what it notes about a user's
images decides later whether they have changed.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import numpy as np
import yaml
from conftest import ROOT
from expected_jobs import NOTHING
from PIL import Image

CONFIG = ROOT / "tests/workflow/reruns.yaml"
SOURCES = ("Snakefile", "rules", "workflow", "profiles", "envs")
# Invocations are forks of a process that has imported Snakemake already: half the time.
SERVER = """
import gc, os, sys
import pandas, pydantic, smart_open, snakemake.cli, snakemake.report
from snakemake.executors import dryrun, touch
snakemake.cli.get_argument_parser()  # imports the plugins
touch.Executor.SLEEPING_TIME = 0.001  # s per job, instead of 0.1
gc.freeze()  # else every fork would write to, and so copy, all of its memory
for line in sys.stdin:
    folder, log, *arguments = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        sys.argv = ["snakemake", *arguments]
        snakemake.cli.main()
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Snakemake:
    """Snakemake, started twice and forked for every invocation; each answers one at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SERVER]
        self._idle: Queue[subprocess.Popen[str]] = Queue()
        for _ in range(2):
            pipe = subprocess.PIPE
            self._idle.put(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))

    def __call__(self, folder: Path, *arguments: str) -> str:
        """Run it in `folder`; returns what it prints."""
        log = folder / "snakemake.log"
        server = self._idle.get()
        assert server.stdin and server.stdout
        print(folder, log, *arguments, sep="\t", file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        self._idle.put(server)
        text = log.read_text()
        assert code == 0, text[-5000:]
        return text

    def stop(self) -> None:
        """End the processes."""
        for _ in range(2):
            self._idle.get().communicate()


class Experiment:
    """A folder with the workflow's sources, a config, images, and every result."""

    def __init__(self, folder: Path, snakemake: Snakemake) -> None:
        self.folder, self._snakemake = folder, snakemake

    @property
    def config(self) -> dict:
        """The config as it is written now."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def write_config(self, config: dict) -> None:
        """Replace the config."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def results(self, pattern: str = "*") -> list[Path]:
        """Existing results under `results/` whose path fits."""
        return sorted((self.folder / "results").glob(pattern))

    def would_run(self) -> frozenset[str]:
        """The jobs that Snakemake would run now."""
        answer = self._snakemake(self.folder, "--dry-run", "--cores", "2")
        jobs = frozenset(name for name, _ in _planned(answer))
        assert jobs or "Nothing to be done" in answer, answer[-5000:]
        return jobs

    def copy(self, folder: Path) -> "Experiment":
        """The same with the same dates elsewhere."""
        subprocess.run(
            ["cp", "-a", self.folder, folder], check=True
        )  # shutil takes 4 times as long
        return Experiment(folder, self._snakemake)

    def finish(self) -> None:
        """Make every result, the datasets of images for real, and have them recorded."""
        plan = _planned(self._snakemake(self.folder, "--dry-run", "--cores", "2"))
        outputs = {path for _, paths in plan for path in paths}
        described = [p for p in outputs if p.endswith("dataset.json") and "textures" not in p]
        self._snakemake(self.folder, "--cores", "2", *described)
        for output in outputs:
            path = self.folder / output
            if path.name in ("images", "checkpoints"):
                path.mkdir(parents=True)
            elif output not in described:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"the content of {output}\n")
        self._describe_textures()
        self._snakemake(self.folder, "--cores", "16", "--touch")
        assert self.would_run() == NOTHING

    def _describe_textures(self) -> None:
        """Like the photos, but as many as the config says: plans are checked against it."""
        described = json.loads((self.folder / "results/data/photos/dataset.json").read_text())
        described["splits"]["train"]["images"] = 400
        (self.folder / "results/data/textures/dataset.json").write_text(json.dumps(described))


def finished_experiment(folder: Path, snakemake: Snakemake) -> Experiment:
    """The experiment of reruns.yaml, nothing left to do."""
    folder.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    shutil.copy2(CONFIG, folder / "config.yaml")
    draw_images(folder / "images")
    experiment = Experiment(folder, snakemake)
    experiment.finish()
    return experiment


def draw_images(root: Path) -> None:
    """Noise in two classes: 4 for training and 2 for validation, and 4 for both in one folder."""
    rng = np.random.default_rng(0)
    for part, images in (("photos/train", 4), ("photos/val", 2), ("scans", 4)):
        for name in ("cat", "dog"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(images):
                pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")


_BLOCK = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
_FIELD = re.compile(r"^    (output|wildcards): (.*)$", re.MULTILINE)


def _planned(dry_run: str) -> Iterator[tuple[str, list[str]]]:
    """Every job that a dry run lists, and its outputs."""
    for rule, body in _BLOCK.findall(dry_run):
        fields = dict(_FIELD.findall(body))
        if rule != "all":
            yield _name(rule, fields.get("wildcards", "")), fields["output"].split(", ")


def _name(rule: str, wildcards: str) -> str:
    prefixes = {"seed": "seed", "epoch": "epoch"}
    parts = [text.split("=", 1) for text in wildcards.split(", ") if text]
    return f"{rule} {'/'.join(prefixes.get(key, '') + value for key, value in parts)}".strip()
