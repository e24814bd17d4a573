"""A throw-away SLURM, and two experiments run twice: on it, and on this machine without it.

Both run side by side, and while they do, SLURM interrupts them in every way that it has.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen

import pytest
from experiment import (
    ON_SLURM,
    PROBED,
    PROBED_ON_SLURM,
    Outcome,
    write_experiment,
    write_probed,
)
from slurm import Slurm, cannot_run
from snakemake_runs import start
from trainer import Interruption, Trainer

PATIENCE = 1500  # seconds, for a busy machine
WRITE = (write_experiment, write_experiment, write_probed, write_probed)
ALONE = ["--cores", "1"]
OPTIONS = (ON_SLURM, ALONE, [*PROBED, *PROBED_ON_SLURM], [*PROBED, *ALONE])


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A running SLURM; stopped whatever happens."""
    reason = cannot_run()
    if reason:
        pytest.skip(f"no SLURM for tests/cluster: {reason}")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        cluster = Slurm(Path(folder))
        if not cluster.cgroups:
            print("no writable cgroups (v1) here: SLURM tracks processes by proctrack/pgid")
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="session")
def outcomes(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    """The experiment, and the one with arrays and a probe."""
    names = ("cluster", "local", "probed", "probed-local")
    folders = [tmp_path_factory.mktemp(name).resolve() for name in names]
    configs = [write(folder) for write, folder in zip(WRITE, folders, strict=True)]
    begin = time.monotonic()
    runs = [
        start(folder, *options, config=config, environment=slurm.environment)
        for folder, options, config in zip(folders, OPTIONS, configs, strict=True)
    ]
    pool = ThreadPoolExecutor()
    try:
        long = pool.submit(interrupt_long, slurm, folders[0], runs[0])
        moved = pool.submit(interrupt_moved, slurm, folders[0], runs[0])
        probe = pool.submit(interrupt_probe, slurm, folders[2], runs[2])
        interruptions = [[*long.result(), *moved.result()], probe.result()]
        assert [run.wait(timeout=PATIENCE) for run in runs] == [0] * 4
        print(f"all runs took {time.monotonic() - begin:.0f} s")
        printed = [full_log(folder) for folder in folders]
        yield [
            Outcome(folders[i], folders[i + 1], printed[i], interruptions[i // 2], slurm.jobs())
            for i in (0, 2)
        ]
    except AssertionError as error:
        tails = [(folder / "snakemake.out").read_text()[-4000:] for folder in folders]
        raise AssertionError("\n".join([str(error), *tails])) from None
    finally:
        for run in runs:
            run.kill()
            run.wait()
        pool.shutdown()  # who waits for a training sees that Snakemake has ended


def full_log(folder: Path) -> str:
    """Every line of Snakemake's, of which it prints a few."""
    return "".join(p.read_text() for p in sorted(folder.glob(".snakemake/log/*.snakemake.log")))


def interrupt_long(slurm: Slurm, folder: Path, run: Popen[bytes]) -> list[Interruption]:
    """Two time limits, and a scancel."""
    found = []
    for how in ("limit", "limit", "scancel"):
        trainer = Trainer(folder, "long/seed0", "pretrain.log", lambda: run.poll() is None)
        if how == "limit":
            trainer.let_go_at_its_limit()
        else:
            slurm.ask("scancel", trainer.job)
        found.append(trainer.wait_for_its_end())
    return found


def interrupt_moved(slurm: Slurm, folder: Path, run: Popen[bytes]) -> list[Interruption]:
    """A daemon that is killed and started again, which costs nothing, and a requeue."""
    trainer = Trainer(folder, "moved/seed0", "pretrain.log", lambda: run.poll() is None)
    slurm.restart_node()
    assert not trainer.ended(), "a training outlives the daemon of its node"
    slurm.ask("scontrol", "requeue", trainer.job)
    return [trainer.wait_for_its_end()]


def interrupt_probe(slurm: Slurm, folder: Path, run: Popen[bytes]) -> list[Interruption]:
    """A time limit."""
    probe = Trainer(folder, "seeds/seed0", "epoch0001/probe.log", lambda: run.poll() is None)
    probe.let_go_at_its_limit()
    return [probe.wait_for_its_end()]
