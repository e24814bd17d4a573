"""How a long job is asked to stop: it finishes its step, saves, and leaves with code 75."""

import argparse
import logging
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ssl_collapse.runtime.errors import INTERRUPTED

logger = logging.getLogger("ssl_collapse")
LEFT = "interrupted; saved"  # how the last line of a log begins
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@dataclass(frozen=True)
class Budget:
    """When a job is to leave by itself (seconds since 1970), how often it saves (seconds), and
    where its state is carried (a folder or S3 URL), where no other node sees what it saves.
    """

    stop_at: float | None = None
    save_every: float = 600.0
    mirror: str | None = None

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """The options that `of` reads."""
        parser.add_argument(
            "--stop-at", type=float, metavar="TIME", help="save and leave then (seconds since 1970)"
        )
        parser.add_argument(
            "--save-minutes", type=float, default=10.0, metavar="M", help="minutes between saves"
        )
        parser.add_argument("--mirror", help=argparse.SUPPRESS)

    @staticmethod
    def of(args: argparse.Namespace) -> "Budget":
        """The budget that a command line gives."""
        return Budget(args.stop_at, 60 * args.save_minutes, args.mirror)


class Interruption:
    """Whether this process was asked to stop; within a `with` block, signals ask instead of kill.

    asked: a signal has come, or the time `stop_at` of the budget. The alarm is the process's own:
    what a scheduler sends before its time limit often reaches no more than the shell around it.
    """

    def __init__(self, stop_at: float | None = None) -> None:
        self.asked = False
        self._stop_at = stop_at
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        if self._stop_at is not None:
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._ask)
            signal.setitimer(signal.ITIMER_REAL, max(self._stop_at - time.time(), 1e-3))
        return self

    def __exit__(self, *error: object) -> None:
        if self._stop_at is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class Cadence:
    """When to save between epochs: every so many seconds, and for at most 1 % of the time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.perf_counter() + seconds

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.perf_counter() >= self._next

    def saved(self, started: float) -> None:
        """Note a save that began at `started` of the performance counter and has just ended."""
        now = time.perf_counter()
        self._next = now + max(self._seconds, 100 * (now - started))


def leave(epoch: int, step: int) -> NoReturn:
    """End a process that was asked to stop and has saved where it was."""
    logger.warning("%s epoch %d, step %d", LEFT, epoch, step)
    sys.exit(INTERRUPTED)


def saved_and_left(log: Path) -> str | None:
    """The line by which a job has ended its log if it was interrupted and has saved."""
    try:
        *_, last = log.read_text("utf-8", errors="replace").splitlines() or [""]
    except OSError:
        return None
    return last if last.startswith(LEFT) else None
