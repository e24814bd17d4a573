"""A trainer that runs as a job: found, held in the middle of a step, and told to stop."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where in a training something happened."""

    epoch: int
    step: int


class Trainer:
    """The process that trains a run in `folder`; waits until it has taken some steps."""

    def __init__(self, folder: Path, run: str, alive: Callable[[], bool]) -> None:
        self.alive = alive
        self.log = folder / f"results/logs/{run}/pretrain.log"
        self.pid = self._find(folder, f"results/state/{run}")
        self.job = self._environment()["SLURM_JOB_ID"]
        self._wait("took no step", lambda: self.log.exists() and " step " in self.log.read_text())
        self.resumed = place(self.log, "resumed at")

    def hold(self) -> None:
        """Stop it where it is, so that what follows does not depend on its speed."""
        os.kill(self.pid, signal.SIGSTOP)

    def wait_for_its_end(self) -> Place | None:
        """Where it says that it saved its state; with SIGTERM, SLURM lets a held process go."""
        self._wait("did not end", lambda: not self._runs())
        saved = place(self.log, "interrupted; saved")
        self.log.unlink()  # what is there from now on is of the next attempt
        return saved

    def _find(self, folder: Path, state: str) -> int:
        found: list[int] = []

        def look() -> bool:
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    words = (process / "cmdline").read_bytes().split(b"\0")
                    here = (process / "cwd").readlink() == folder
                except OSError:
                    continue
                script = len(words) > 1 and words[1].endswith(b"/pretrain.py")
                if here and script and state.encode() in words:
                    found.append(int(process.name))
            return bool(found)

        self._wait("did not start", look)
        return found[0]

    def _environment(self) -> dict[str, str]:
        words = Path(f"/proc/{self.pid}/environ").read_text().split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)

    def _runs(self) -> bool:
        try:
            return " Z" not in Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2][:2]
        except OSError:
            return False

    def _wait(self, problem: str, ready: Callable[[], bool], seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.alive(), f"Snakemake ended, but the trainer {problem}"
            assert time.monotonic() < deadline, f"the trainer {problem}"
            time.sleep(0.1)


def place(log: Path, words: str) -> Place | None:
    """The epoch and step of the log's line with these words, if it has one."""
    match = re.search(words + r" epoch (\d+), step (\d+)", log.read_text())
    return Place(int(match[1]), int(match[2])) if match else None
