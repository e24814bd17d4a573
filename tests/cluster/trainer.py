"""A training or probe that runs as a job: found, held in the middle of an epoch, and let go."""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where in a training something happened."""

    epoch: int
    step: int


@dataclass(frozen=True)
class Interruption:
    """One submission of a training or probe: where it started and what was saved in the end."""

    job: str
    resumed: Place | None
    saved: Place | None
    left: bool  # by itself, after it had saved
    processes: int
    gpus: str | None  # as SLURM tells the job


class Trainer:
    """The process of a stage that trains a run in `folder`; waits until it has saved on its way.

    Then it is held where it is, so that what follows does not depend on its speed.
    """

    def __init__(
        self, folder: Path, run: str, log: str, alive: Callable[[], bool], patience: float = 1500
    ) -> None:
        self._alive, self._patience = alive, patience
        self.stage = "probe" if "probe" in log else "pretrain"
        self.log = folder / f"results/logs/{run}" / log
        self.state = folder / f"results/state/{run}"
        self.words, self.pids = list[str](), list[int]()
        self._wait("did not start", lambda: self._find(folder))
        environment = Path(f"/proc/{self.pids[0]}/environ").read_text().split("\0")
        self.environment = dict(word.split("=", 1) for word in environment if "=" in word)
        self.job = self.environment["SLURM_JOB_ID"]
        before = self.place()
        self._wait("saved nothing", lambda: self.ended() or self._went_on(before))
        self._find(folder)  # also a second process, if there is one
        self._signal(signal.SIGSTOP)
        self.resumed = place(self.log.read_text(), "resumed at")

    def ended(self) -> bool:
        """Whether it runs no more."""
        try:
            stat = Path(f"/proc/{self.pids[0]}/stat").read_text()
        except OSError:
            return True
        return " Z" in stat.rpartition(")")[2][:2]

    def place(self) -> Place | None:
        """How far its saved state is."""
        for file in self.state.glob("*/place"):
            with suppress(OSError):
                return place(file.read_text(), "")
        return None

    def let_go_at_its_limit(self) -> None:
        """Hold it until its own alarm has rung."""
        stop_at = float(self.words[self.words.index("--stop-at") + 1])
        while time.time() < stop_at + 1:
            time.sleep(0.1)
        self._signal(signal.SIGCONT)

    def wait_for_its_end(self) -> Interruption:
        """What became of it."""
        self._wait("did not end", self.ended)
        saved, left = self.place(), place(self.log.read_text(), "interrupted; saved")
        self.log.unlink()  # what is there from now on is of the next attempt
        gpus = self.environment.get("CUDA_VISIBLE_DEVICES")
        by_itself = left is not None and left == saved
        return Interruption(self.job, self.resumed, saved, by_itself, len(self.pids), gpus)

    def _went_on(self, before: Place | None) -> bool:
        now = self.place()
        return now is not None and now != before and now.step > 0

    def _find(self, folder: Path) -> bool:
        pids: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode().split("\0")
                here = (process / "cwd").readlink() == folder
            except OSError:
                continue
            script = any(word.endswith(f"/{self.stage}.py") for word in words)
            if here and script and str(self.state.relative_to(folder)) in words:
                self.words, pids = words, [*pids, int(process.name)]
        self.pids = pids or self.pids
        return bool(pids)

    def _signal(self, number: int) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait(self, problem: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience
        while not ready():
            assert self._alive(), f"Snakemake ended, but {self.state.name} {problem}"
            assert time.monotonic() < deadline, f"{self.stage} of {self.state} {problem}"
            time.sleep(0.1)


def place(text: str, words: str) -> Place | None:
    """The epoch and step that follow these words, if they are there."""
    match = re.search(f"{words} ?epoch (\\d+), step (\\d+)", text)
    return Place(int(match[1]), int(match[2])) if match else None
