"""On a terminal: the lines that move, and what jobs print, kept apart from them."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.terminal.course import Course, Job, in_words, plain
from engine.time_limit import KINDS
from ssl_collapse.runtime.following import read_progress
from ssl_collapse.runtime.interruption import LEFT

PERIOD = 1.0  # seconds between two looks
Progress = Callable[[Job], dict[str, Any] | None]


def progress_of(state: Path) -> Progress:
    """How far a training or probe is, from its state; state: the folder of all of them."""

    def look(job: Job) -> dict[str, Any] | None:
        run, seed = job.place.split("/")[:2]
        return read_progress(state / run / seed, KINDS[job.rule], since=job.began)

    return look


def moving_lines(course: Course, progress: Progress, height: int, now: float) -> Group:
    """A line for each running training and probe, below one that counts the rest."""
    running = list(course.running.values())
    long = [job for job in running if job.rule in KINDS]
    others = Counter(job.rule for job in running if job.rule not in KINDS)
    parts = [f"{course.done} of {course.total} jobs done"]
    parts += [f"{count} {rule}" for rule, count in others.items()]
    parts += [f"{len(course.failed)} failed"] if course.failed else []
    shown = long[: max(height - 3, 1)]
    if len(long) > len(shown):
        parts.append(f"{len(long) - len(shown)} more trainings")
    grid = Table.grid(padding=(0, 2))
    for _ in range(7):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    for job in shown:
        grid.add_row(*_cells(job, progress(job), now))
    return Group(Text(", ".join(parts), "bold", no_wrap=True, overflow="ellipsis"), grid)


def _cells(job: Job, at: dict[str, Any] | None, now: float) -> list[Any]:
    """Name, epoch, bar, loss, health, speed and the time that is left."""
    name = job.place if job.rule == "pretrain" else job.name
    if at is None:
        return [name, f"no step yet, {in_words(now - job.began)}"]
    done = at["epoch"] * at["steps"] + at["step"]
    bar = ProgressBar(total=at["epochs"] * at["steps"], completed=done, width=16)
    rank = f"rank {at['effective_rank']:.1f}" if "effective_rank" in at else ""
    accuracy = f"top-1 {100 * at['top1']:.1f} %" if "top1" in at else ""
    return [
        name,
        f"epoch {min(at['epoch'] + 1, at['epochs'])}/{at['epochs']}",
        bar,
        f"loss {at['loss']:.4f}" if "loss" in at else "",
        rank or accuracy,
        f"{at['images_per_second']:,.0f} images/s" if "images_per_second" in at else "",
        f"{in_words(at['seconds_left'])} left" if "seconds_left" in at else "",
    ]


class Terminal:
    """Moving lines at the bottom; `print` puts others above them.

    While they move, what jobs print goes into a file, from which it is printed above: written in
    between, it would tear the lines. A file and no pipe: jobs that outlive Snakemake write on.
    """

    def __init__(self, lines: Callable[[int], Any], no_color: bool = False) -> None:
        self._out = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
        # Warnings are not to be wrapped where the person searches for them: rich only colours.
        self.console = Console(file=self._out, no_color=no_color, highlight=False)
        self._live = Live(
            console=self.console,
            get_renderable=lambda: lines(self.console.height),
            refresh_per_second=1 / PERIOD,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._printed: _Printed | None = None

    def start(self, file: Path) -> None:
        """Begin to move; what jobs print goes to `file`."""
        self._printed = _Printed(file, lambda text: self.print(text, "yellow"))
        self._live.start(refresh=True)

    def print(self, text: str, style: str = "") -> None:
        """Print a line above those that move."""
        self.console.print(Text(plain(text), style), soft_wrap=True)

    def stop(self) -> None:
        """Leave the terminal as it was, without the lines that moved."""
        if self._printed is not None:
            self._printed.stop()
            self._live.stop()
            self._printed = None


class _Printed:
    """What this process and its jobs print: to a file, and line by line to `tell`."""

    def __init__(self, file: Path, tell: Callable[[str], None]) -> None:
        self._tell, self._ended = tell, threading.Event()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._flush()
        self._before = [os.dup(number) for number in (1, 2)]
        out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for number in (1, 2):
            os.dup2(out, number)
        os.close(out)
        self._read = file.open(encoding="utf-8", errors="replace")
        self._read.seek(0, os.SEEK_END)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @staticmethod
    def _flush() -> None:
        sys.stdout.flush()
        sys.stderr.flush()

    def _follow(self) -> None:
        while not self._ended.wait(PERIOD / 4):
            self._pass_on()

    def _pass_on(self) -> None:
        while line := self._read.readline():
            while not line.endswith("\n") and not self._ended.is_set():
                time.sleep(0.01)  # the rest of it is being written
                line += self._read.readline()
            text = line.rstrip("\n")
            # What failed and what was interrupted is told with its job.
            if text.strip() and not text.startswith(("error: ", LEFT)):
                self._tell(text)

    def stop(self) -> None:
        self._flush()
        for number, before in zip((1, 2), self._before, strict=True):
            os.dup2(before, number)
            os.close(before)
        self._ended.set()
        self._thread.join()
        self._pass_on()
        self._read.close()
