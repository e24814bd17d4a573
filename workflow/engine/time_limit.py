"""Time limits of a cluster: when a job leaves by itself, and when it gets another try.

What SLURM sends a job before its limit reaches the Snakemake inside it, which does not pass it on
(seen with proctrack/cgroup). So a training or probe has an alarm of its own.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.settings import ExecMode

from ssl_collapse.runtime.saved_state import PLACE

# Seconds before the limit: a minute to save in, and half a minute for what ran before this process.
MARGIN = 90.0
KINDS = {"pretrain": "training", "probe": "probe"}  # rule -> what its states are called


def time_limit(workflow: Any) -> Callable[[Any], list[str]]:
    """The options that tell a job of a cluster, given its resources, when to save and leave.

    Nothing where Snakemake runs the job beside itself: there `runtime` is no limit.
    """
    started = time.time()

    def options(resources: Any) -> list[str]:
        if workflow.exec_mode != ExecMode.REMOTE or not isinstance(resources.get("runtime"), int):
            return []
        seconds = 60.0 * resources.runtime
        end = end_of_job() or started + seconds
        return ["--stop-at", f"{end - min(MARGIN, seconds / 2):.0f}"]

    return options


def end_of_job() -> float | None:
    """When SLURM will end the job that this process belongs to (seconds since 1970), if it says so.

    It tells newer ones in their environment; of others `squeue` is asked.
    """
    if end := os.environ.get("SLURM_JOB_END_TIME"):
        return float(end)
    if (job := os.environ.get("SLURM_JOB_ID")) is None:
        return None
    words = ["squeue", "--noheader", f"--jobs={job}", "--format=%e"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=30)
        return datetime.fromisoformat(answer.stdout.strip()).timestamp()
    except (OSError, subprocess.TimeoutExpired, ValueError):  # no answer, or no limit
        return None


class Tries:
    """Further tries of a training or probe that failed: one that made progress uses up none, so
    that no number of time limits ends it.

    state: the folder of all unfinished trainings. names: rule -> its name in this workflow. see:
    puts what is known elsewhere of unfinished trainings into the folder that it is given.
    """

    def __init__(
        self, state: Path, names: Mapping[Any, str], see: Callable[[Path], None] | None = None
    ) -> None:
        self._state, self._names = state, names
        self._see = see or (lambda folder: None)
        self._see(state)
        folders = {path.parents[1] for path in state.glob(f"*/seed*/*/{PLACE}")}
        self._places = {(f, k): _places(f, k) for f in folders for k in KINDS.values()}
        self._progress: dict[tuple[Path, str], dict[int, bool]] = {}

    def __call__(self, job: Any) -> int:
        """How many of its attempts so far, the last of which has just failed, made progress."""
        folder = self._state / job.wildcards.run / f"seed{job.wildcards.seed}"
        kind = KINDS[self._names[job.rule]]
        attempts = self._progress.setdefault((folder, kind), {})
        if job.attempt not in attempts:
            self._see(folder)
            places = _places(folder, kind)
            attempts[job.attempt] = places not in ("", self._places.get((folder, kind)))
            self._places[folder, kind] = places
        return self.made(kind, job.wildcards)

    def made(self, kind: str, wildcards: Any) -> int:
        """How many attempts of this invocation made progress, of those that were looked at."""
        folder = self._state / wildcards.run / f"seed{wildcards.seed}"
        return sum(self._progress.get((folder, kind), {}).values())


def _places(folder: Path, kind: str) -> str:
    """How far the unfinished trainings or probes of one seed are."""
    return "".join(path.read_text() for path in sorted(folder.glob(f"{kind}-*/{PLACE}")))
