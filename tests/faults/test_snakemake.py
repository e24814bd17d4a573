"""A small pipeline from nothing, while Snakemake, its jobs, or all at once are killed."""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from equal_results import contents, differences
from snakemake_runs import snakemake, start, succeed, write_config
from toy import experiment

SECONDS = (2.0, 9.0)  # from a start to the kill: Snakemake alone takes 2 to plan
PATIENCE = 60  # seconds in which Snakemake must end when asked to


@pytest.mark.thorough
def test_killed_pipelines_end_with_the_same_bytes(tmp_path: Path, kills: int, first_seed: int):
    config = write_config(tmp_path, experiment())
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    succeed(undisturbed, "--cores", "2", config=config)
    expected = contents(undisturbed / "results")
    struck, seed = 0, first_seed
    while struck < max(kills // 5, 1):  # a pipeline that ends before all are done begins anew
        folder = tmp_path / f"from seed {seed}"
        folder.mkdir()
        while struck < max(kills // 5, 1):
            hit = strike(folder, config, random.Random(seed))
            seed += 1
            if not hit:
                break
            struck += 1
        finish(folder, config)
        assert not differences(contents(folder / "results"), expected)


def strike(folder: Path, config: Path, rng: random.Random) -> bool:
    """Start Snakemake and kill something after a while; False if it ended before."""
    running = start(folder, "--cores", "2", config=config)
    time.sleep(rng.uniform(*SECONDS))
    if running.poll() is not None:
        return False
    victim = rng.choice(["snakemake", "snakemake", "all", "jobs", "term", "int"])
    if victim == "snakemake":  # its jobs live on as orphans
        running.kill()
    elif victim == "all":
        os.killpg(running.pid, signal.SIGKILL)
    elif victim == "jobs":
        for pid in scripts_of(running.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.terminate()
    else:
        os.killpg(running.pid, signal.SIGTERM if victim == "term" else signal.SIGINT)
    end(running)
    if victim in ("snakemake", "all"):
        snakemake(folder, "--unlock", config=config)
    return True


def end(running: "subprocess.Popen[bytes]") -> None:
    """Wait until it ends; where it does not, a person types Ctrl-C again.

    Seen once, on a busy machine: a Ctrl-C in the seconds of its start had no effect. By what is not
    known; of 248 at other moments none was lost.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(PATIENCE / 4)
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGINT)
        running.wait(PATIENCE)


def scripts_of(session: int) -> list[int]:
    """The jobs' Python processes of a session."""
    listed = subprocess.run(
        ["ps", "-s", str(session), "-o", "pid=,args="], capture_output=True, text=True
    ).stdout.splitlines()
    return [int(x.split()[0]) for x in listed if "workflow/scripts/" in x and "bash" not in x]


def finish(folder: Path, config: Path) -> None:
    """Start it again, as a user would, until it ends; orphans may hold a lock for a while."""
    for _ in range(5):
        run = snakemake(folder, "--cores", "2", config=config)
        if run.returncode == 0:
            return
        time.sleep(3)
    raise AssertionError(run.stdout[-5000:])
