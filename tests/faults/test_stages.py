"""Every stage, killed at seeded points: results appear whole or not at all, and end the same.

Two thirds of the kills strike just before a file operation (between write and rename, too); the
others at a moment, by SIGKILL, SIGTERM, SIGINT or SIGUSR1, up to three times in a row.
"""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from equal_results import contents, differences
from snakemake_runs import Job
from stage import Running, count_events, killed_at, preload, remove_outputs

SAVED = 75  # exit code of a trainer that was asked to stop
# Stages where more can go wrong are struck more often.
WEIGHTS = {"pretrain": 8, "represent": 3, "pack": 4, "dataset": 2, "textures": 2}


def test_killed_jobs_leave_whole_results_or_none(
    copy: Path, expected: dict[str, bytes], jobs: list[Job], kills: int, first_seed: int
):
    preload()
    stages = sorted({job.rule for job in jobs})
    assert {*WEIGHTS, "export_checkpoint", "knn", "collapse"} <= set(stages)
    known: dict[str, tuple[int, float]] = {}
    done = 0
    for seed in range(first_seed, first_seed + 10 * kills):
        if done >= kills * 4 // 5:
            break
        rng = random.Random(seed)
        stage = rng.choices(stages, [WEIGHTS.get(s, 1) for s in stages])[0]
        job = rng.choice([job for job in jobs if job.rule == stage])
        if stage not in known:
            remove_outputs(job, copy)
            known[stage] = count_events(job, copy)
        remove_outputs(job, copy)
        for code in strike(job, copy, rng, *known[stage]):
            done += 1
            where = f"seed {seed}: {stage} {job.outputs}, ended with {code}"
            assert code < 0 or code in (SAVED, 130, 1), where
            halves = damaged(contents(copy / "results"), expected, job)
            assert not halves, f"{where}: neither whole nor absent: {halves}"
            remove_outputs(job, copy)
        code = Running(job, copy).wait()
        assert code == 0, f"seed {seed}: {stage}: {(copy / 'stderr').read_text()}"
        assert not differences(contents(copy / "results"), expected), (
            f"seed {seed}: {stage} {job.outputs}"
        )
    assert done >= kills * 4 // 5


def strike(
    job: Job, folder: Path, rng: random.Random, events: int, seconds: float
) -> Iterator[int]:
    """Kill a job up to three times in a row; yields its exit codes, none once it has finished."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        if rng.random() < 2 / 3:
            running = Running(job, folder, killed_at(rng.randint(1, events)))
        else:
            running = Running(job, folder)
            time.sleep(rng.uniform(0, seconds))
            numbers = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
            running.send(rng.choice(numbers))
        code = running.wait()
        if code == 0:  # it was faster
            remove_outputs(job, folder)
        else:
            yield code


def damaged(found: dict[str, bytes], expected: dict[str, bytes], job: Job) -> list[str]:
    """Results that are there with another content; state and temporary files are not results."""
    return [
        name
        for name, content in found.items()
        if not name.startswith("state/")
        and not any(part.startswith(".") for part in Path(name).parts)
        and expected.get(name) != content
    ]
