"""Our log handler in place of Snakemake's for the terminal; the log file keeps every line of it."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase

from engine.terminal.course import Course, Line, plain

DEFAULT = "DefaultStreamHandler"  # the name of Snakemake's own handler


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Prints lines of what happens and, on a terminal, moves those of what is running.

    A handler as Snakemake's interface for logger plugins has them. Not chosen by `--logger`, which
    would end every invocation where the package is not installed, or run as it lies there.
    """

    has_filter = writes_to_stream = has_formatter = True
    writes_to_file = needs_rulegraph = False

    def __init__(
        self,
        settings: Any,
        course: Course,
        terminal: Any = None,
        closing: Callable[[Course], Iterable[Line]] = lambda course: (),
        printed: Path = Path("printed.log"),
    ) -> None:
        super().__init__(settings, None)
        self._course, self._terminal, self._closing = course, terminal, closing
        self._printed = printed

    def emit(self, record: logging.LogRecord) -> None:
        """Print what there is to say of a record."""
        course, planned = self._course, self._course.planned
        try:
            for line in course.hear(record):
                if self._terminal is None or not line.moves:
                    self._print(line)
            if self._terminal is not None and course.planned and not planned:
                self._terminal.start(self._printed)
        except Exception:
            self.handleError(record)

    def _print(self, line: Line) -> None:
        if self._terminal is not None:
            self._terminal.print(line.text, line.style)
        else:
            print(plain(line.text), file=sys.stderr, flush=True)

    def close(self) -> None:
        """The run has ended: say how."""
        if self._terminal is not None:
            self._terminal.stop()
        if self._course.begun and (self._course.planned or self._course.nothing_to_do):
            self._course.begun = False  # this is called again when Python ends
            for line in self._closing(self._course):
                self._print(line)
        super().close()


def attach(
    workflow: Any,
    state: Path,
    closing: Callable[[Course], Iterable[Line]],
    plan: Callable[[Mapping[str, int]], str],
) -> None:
    """Let our handler print in place of Snakemake's, whose lines go on to its log file.

    Snakemake's stays where a person asks for more or less of it (`--verbose`, `--debug-dag`,
    `--quiet`, a stream of `--logger`) and in a dry run.

    state: the folder of the states of unfinished trainings.
    """
    from snakemake.logging import logger

    settings, manager = workflow.output_settings, workflow.logger_manager
    otherwise = settings.dryrun or settings.verbose or settings.debug_dag or settings.quiet
    theirs = [handler for handler in logger.handlers if handler.name == DEFAULT]
    if otherwise or len(theirs) != 1:
        return
    course = Course(plan)
    ours = LogHandler(
        settings, course, _terminal(settings, course, state), closing, _beside(manager)
    )
    logger.removeHandler(theirs[0])
    logger.addHandler(ours)


def _terminal(settings: Any, course: Course, state: Path) -> Any:
    """The terminal that lines can move on; None where there is none."""
    if not sys.stderr.isatty():
        return None
    try:
        from engine.terminal.moving import Terminal, moving_lines, progress_of
    except ImportError:  # without `rich`, as before it was one of the pinned packages
        return None
    progress = progress_of(state)
    terminal = Terminal(
        lambda height: moving_lines(course, progress, height, time.time()), settings.nocolor
    )
    return None if terminal.console.is_dumb_terminal else terminal


def _beside(manager: Any) -> Path:
    """A file for what jobs print, beside Snakemake's log of this run."""
    logs = manager.get_logfile()
    return Path(logs[0]).with_suffix(".printed.log") if logs else Path(".snakemake/log/printed.log")
