"""The whole pipeline from nothing, while Snakemake, its jobs, or all at once are killed."""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from equal_results import contents, differences
from snakemake_runs import SMOKE, snakemake, start

SECONDS = (2.5, 9.0)  # from a start to the kill: Snakemake alone takes 2 to plan
PATIENCE = 60  # invocations; each retry resumes what the last one left


@pytest.mark.thorough
def test_killed_pipelines_end_with_the_same_bytes(
    expected: dict[str, bytes], tmp_path: Path, kills: int, first_seed: int
):
    wanted, struck, seed = max(kills // 5, 1), 0, first_seed
    round_number = 0
    while struck < wanted:  # a pipeline that ends before all kills are done begins anew
        folder = tmp_path / f"round{round_number}"
        folder.mkdir()
        for _ in range(PATIENCE):
            rng = random.Random(seed)
            seed += 1
            if struck >= wanted or not strike(folder, rng):
                break
            struck += 1
        finish(folder)
        assert not differences(contents(folder / "results"), expected)
        round_number += 1


def strike(folder: Path, rng: random.Random) -> bool:
    """Start Snakemake and kill something after a while; False if it was done before."""
    running = start(folder, "--cores", "2", config=SMOKE)
    time.sleep(rng.uniform(*SECONDS))
    if running.poll() == 0:
        return False
    victim = rng.choice(["snakemake", "snakemake", "all", "jobs", "term", "int"])
    if victim == "snakemake":  # its jobs live on as orphans
        running.kill()
    elif victim == "all":
        os.killpg(running.pid, signal.SIGKILL)
    elif victim == "jobs":
        for pid in scripts_of(running.pid):
            kill(pid, signal.SIGKILL)
        running.terminate()
    else:
        os.killpg(running.pid, signal.SIGTERM if victim == "term" else signal.SIGINT)
    running.wait(timeout=60)
    if victim in ("snakemake", "all"):
        snakemake(folder, "--unlock", config=SMOKE)
    return True


def scripts_of(session: int) -> list[int]:
    """The jobs' Python processes of a session."""
    listed = subprocess.run(
        ["ps", "-s", str(session), "-o", "pid=,args="], capture_output=True, text=True
    ).stdout.splitlines()
    return [int(x.split()[0]) for x in listed if "workflow/scripts/" in x and "bash" not in x]


def kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def finish(folder: Path) -> None:
    """Start it again, as a user would, until it ends; orphans may hold a lock for a while."""
    for _ in range(5):
        run = snakemake(folder, "--cores", "2", config=SMOKE)
        if run.returncode == 0:
            return
        time.sleep(3)
    raise AssertionError(run.stdout[-5000:])
