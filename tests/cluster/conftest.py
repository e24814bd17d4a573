"""A throw-away SLURM, and one experiment run twice: on it, and on this machine without it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from slurm import Slurm, cannot_run
from trainer import Place, Trainer

ROOT = Path(__file__).parents[2]
LONG = "long/seed0"  # the training that is interrupted


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A running SLURM; stopped whatever happens."""
    reason = cannot_run()
    if reason:
        pytest.skip(f"no SLURM for tests/cluster: {reason}")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        cluster = Slurm(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def write_config(path: Path) -> None:
    """The smoke config with three of its runs, one of them longer."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "configs/smoke.yaml").read_text())
    config["defaults"]["seeds"] = [0]
    config["runs"] = {
        "current": config["runs"]["current"] | {"seeds": [0]},
        "hybrid": config["runs"]["hybrid"],
        "long": {"share": 100, "steps_per_epoch": 100},
    }
    names = list(config["runs"])
    config["figures"] = {"schedules": {"kind": "schedules", "title": "Schedules", "runs": names}}
    config["runtime"] = {"log_every": 5}
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def snakemake(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """The workflow in `folder`, as a user starts it; what it prints goes to snakemake.out."""
    write_config(folder / "experiment.yaml")
    # setpriv, on Linux: it does not outlive a test run that is killed
    command = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    command += [sys.executable, "-m", "snakemake"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), *arguments]
    command += ["--configfile", "experiment.yaml"]
    with (folder / "snakemake.out").open("w") as out:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment or {**os.environ},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )


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


@pytest.fixture(scope="session")
def outcome(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Run the experiment on SLURM and interrupt its long training by time limit and scancel."""
    folder = tmp_path_factory.mktemp("cluster").resolve()
    local = tmp_path_factory.mktemp("local").resolve()
    started = time.monotonic()
    options = [*PROFILE, "--set-resources", *RESOURCES, *SITE]
    run = snakemake(folder, *options, environment=slurm.environment)
    reference = snakemake(local, "--cores", "2")
    try:
        time_limit = interrupt(Trainer(folder, LONG, lambda: run.poll() is None))
        scancel = interrupt(Trainer(folder, LONG, lambda: run.poll() is None), slurm)
        for process, where in ((run, folder), (reference, local)):
            assert process.wait(timeout=420) == 0, (where / "snakemake.out").read_text()[-5000:]
        print(f"both runs took {time.monotonic() - started:.0f} s")
        printed = (folder / "snakemake.out").read_text()
        yield Outcome(folder, local, printed, time_limit, scancel, slurm.jobs())
    except AssertionError as error:
        tail = (folder / "snakemake.out").read_text()[-5000:]
        raise AssertionError(f"{error}; Snakemake says:\n{tail}") from None
    finally:
        for process in (run, reference):
            process.kill()
            process.wait()


def interrupt(trainer: Trainer, by_scancel: Slurm | None = None) -> Interruption:
    """Have SLURM stop a training in the middle of an epoch: cancelled, or by its time limit."""
    trainer.hold()
    if by_scancel:
        by_scancel.ask("scancel", trainer.job)
    return Interruption(trainer.resumed, trainer.wait_for_its_end(), trainer.job)
