"""The experiments that run on SLURM and without, and what became of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from snakemake_runs import ROOT, SMOKE, write_config
from trainer import Interruption

PROFILE = ["--profile", str(ROOT / "profiles/slurm")]
# This SLURM has no accounts and no accounting database; and tests do not wait for long. One retry:
# what makes progress must use up none.
SITE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "10"]
SITE += ["--retries", "1"]
# As a user's command line. A minute for the long training, which so leaves after half of it, till
# it has been interrupted three times.
RESOURCES = [
    "pretrain:runtime=1 if wildcards.run == 'long' and attempt < 4 else 10",
    "pretrain:gpu=int(wildcards.run != 'long') + int(wildcards.run == 'moved')",
]
# Of the probe's attempts the first has too little memory even to start, the second too little time:
# two minutes, after which nothing of it may live, so it leaves after one.
RESOURCES_OF_PROBE = ["probe:runtime=2 if attempt < 3 else 10", "probe:mem_mb=100 * attempt ** 4"]
RESOURCES_OF_PROBE += ["probe:slurm_partition='hard'"]
# `gpu=2` as `runtime: {gpus: 2}` would have it, which on these GPUs no training could use.
ON_SLURM = [*PROFILE, "--resources", "gpu=2", "--set-resources", *RESOURCES, *SITE]
PROBED_ON_SLURM = [*PROFILE, "--set-resources", *RESOURCES_OF_PROBE, *SITE]
PROBED_ON_SLURM += ["--slurm-array-jobs", "pretrain"]
PROBED = ["results/runs/seeds/seed0/epoch0001/probe.json"]
PROBED += [f"results/runs/seeds/seed{seed}/training.csv" for seed in range(3)]
LONG_RUN = {"share": 100, "steps_per_epoch": 200}


def write_experiment(folder: Path) -> Path:
    """The smoke config with two of its runs, and two longer ones."""
    config = _smoke()
    config["runs"] = {
        "current": config["runs"]["current"] | {"seeds": [0]},
        "hybrid": config["runs"]["hybrid"],
        "long": LONG_RUN,
        "moved": LONG_RUN | {"base_lr": 0.1},
    }
    names = list(config["runs"])
    config["figures"] = {"schedules": {"kind": "schedules", "title": "Schedules", "runs": names}}
    return write_config(folder, config)


def write_probed(folder: Path) -> Path:
    """One run of three seeds, and a probe on images."""
    config = _smoke()
    config["runs"] = {"seeds": {"seeds": [0, 1, 2], "epochs": 1}}
    config["evaluation"] = {"probe": {"mode": "full", "epochs": 3, "batch_size": 4}}
    config["figures"] = {}
    return write_config(folder, config)


def _smoke() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(SMOKE.read_text())
    config["defaults"]["seeds"] = [0]
    config["runtime"] = {"device": "cpu", "log_every": 5, "save_minutes": 0.001}
    return config


@dataclass
class Outcome:
    """An experiment on SLURM, and the same without."""

    folder: Path
    local: Path
    printed: str
    interruptions: list[Interruption]
    jobs: list[dict[str, str]]  # what SLURM says of its jobs

    def job(self, number: str) -> dict[str, str]:
        """What SLURM says of a job."""
        (found,) = [job for job in self.jobs if job["JobId"] == number]
        return found

    def submissions(self) -> dict[tuple[str, str], list[str]]:
        """SLURM's job numbers as submitted, by rule (and run, for a training) or group."""
        found: dict[tuple[str, str], list[str]] = {}
        pattern = r"SLURM jobid (\d+) \(log: \S*/(?:rule|group)_(\w+?)/(?:(\S+?)/)?\d+\.log\)"
        for number, rule, wildcards in re.findall(pattern, self.printed):
            run = wildcards.split("_")[0] if rule == "pretrain" else ""
            found.setdefault((rule, run), []).append(number)
        return found
