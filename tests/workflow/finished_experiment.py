"""A finished experiment that can be edited, and Snakemake's own answer to what it would run.

Nothing is trained: results are made up (`pretend`). Only images are generated and datasets
described for real, because what is noted about images decides later whether they have changed.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from expected_jobs import NOTHING
from PIL import Image
from pretend import pretend
from snakemake_runs import ROOT, Server, planned, write_config

CONFIG = ROOT / "tests/workflow/reruns.yaml"
SOURCES = ("Snakefile", "rules", "workflow", "profiles", "envs")
DATASETS = ("textures", "photos", "scans")


class Experiment:
    """A folder with the workflow's sources, a config, images, and every result."""

    def __init__(self, folder: Path, snakemake: Server) -> None:
        self.folder, self._snakemake = folder, snakemake

    @property
    def config(self) -> dict[str, Any]:
        """The config as it is written now."""
        return dict(yaml.safe_load((self.folder / "config.yaml").read_text()))

    def write_config(self, config: dict[str, Any]) -> None:
        """Replace the config."""
        write_config(self.folder, config)

    def would_run(self) -> frozenset[str]:
        """The jobs that Snakemake would run now."""
        answer = self._snakemake(self.folder, "--dry-run", "--cores", "2")
        jobs = frozenset(job.name for job in planned(answer))
        assert jobs or "Nothing to be done" in answer, answer[-5000:]
        return jobs

    def copy(self, folder: Path) -> "Experiment":
        """The same with the same dates elsewhere."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)  # 4 times as fast as shutil
        return Experiment(folder, self._snakemake)

    def finish(self) -> None:
        """Describe the datasets; make up everything else."""
        described = [f"results/data/{name}/dataset.json" for name in DATASETS]
        self._snakemake(self.folder, "--cores", "2", *described)
        pretend(self.folder, planned(self._snakemake(self.folder, "--dry-run", "--cores", "2")))
        # Of the descriptions there are Snakemake's own records, too; the sidecars are to be enough.
        shutil.rmtree(self.folder / ".snakemake/metadata")
        assert self.would_run() == NOTHING


def finished_experiment(folder: Path, snakemake: Server) -> Experiment:
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
    """Noise in two classes: 8 for training and 2 for validation, and 8 for both in one folder."""
    rng = np.random.default_rng(0)
    for part, images in (("photos/train", 8), ("photos/val", 2), ("scans", 8)):
        for name in ("cat", "dog"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(images):
                pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
