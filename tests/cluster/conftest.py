"""A throw-away SLURM, and one experiment run twice: on it, and on this machine without it."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from experiment import LONG, PROFILE, RESOURCES, SITE, Interruption, Outcome, write_experiment
from slurm import Slurm, cannot_run
from snakemake_runs import start
from trainer import Trainer


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


@pytest.fixture(scope="session")
def outcome(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Run the experiment on SLURM and interrupt its long training by time limit and scancel."""
    folder = tmp_path_factory.mktemp("cluster").resolve()
    local = tmp_path_factory.mktemp("local").resolve()
    started = time.monotonic()
    options = [*PROFILE, "--set-resources", *RESOURCES, *SITE]
    environment = slurm.environment
    run = start(folder, *options, config=write_experiment(folder), environment=environment)
    reference = start(local, "--cores", "2", config=write_experiment(local))
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
