"""The experiment that runs on SLURM and without, and what became of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from snakemake_runs import ROOT, SMOKE, write_config
from trainer import Place

LONG = "long/seed0"  # the training that is interrupted
# As a user's command line. For the long training a time limit of a minute times the attempt, and a
# SIGTERM 5 seconds before (SLURM makes it up to 60). One GPU for every job that would want one but
# the long training, so that this one runs beside the others.
PROFILE = ["--profile", str(ROOT / "profiles/slurm")]
RESOURCES = [
    "pretrain:slurm_extra='--signal=TERM@5'",
    "pretrain:runtime=10 if wildcards.run != 'long' else attempt",
    "pretrain:gpu=int(wildcards.run != 'long')",
    "represent:gpu=1",
    "knn:gpu=1",
]
# This SLURM has no accounts and no accounting database; and tests do not wait for long.
SITE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "10"]


def write_experiment(folder: Path) -> Path:
    """The smoke config with three of its runs, one of them longer."""
    config: dict[str, Any] = yaml.safe_load(SMOKE.read_text())
    config["defaults"]["seeds"] = [0]
    config["runs"] = {
        "current": config["runs"]["current"] | {"seeds": [0]},
        "hybrid": config["runs"]["hybrid"],
        "long": {"share": 100, "steps_per_epoch": 100},
    }
    names = list(config["runs"])
    config["figures"] = {"schedules": {"kind": "schedules", "title": "Schedules", "runs": names}}
    config["runtime"] = {"log_every": 5}
    return write_config(folder, config)


@dataclass
class Interruption:
    """One submission of the long training: where it started and was stopped."""

    resumed: Place | None
    saved: Place | None
    job: str


@dataclass
class Outcome:
    """The experiment on SLURM, and the same without."""

    folder: Path
    local: Path
    printed: str
    time_limit: Interruption
    scancel: Interruption
    jobs: list[dict[str, str]]  # what SLURM says of its jobs
