"""How a long job is asked to stop: it finishes its step, saves, and leaves with code 75."""

import logging
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, NoReturn

from ssl_collapse.runtime.errors import INTERRUPTED

logger = logging.getLogger("ssl_collapse")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Interruption:
    """Whether this process was asked to stop; within a `with` block, signals ask instead of kill.

    asked: a signal has come.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def leave(epoch: int, step: int) -> NoReturn:
    """End a process that was asked to stop and has saved where it was."""
    logger.warning("interrupted; saved epoch %d, step %d", epoch, step)
    sys.exit(INTERRUPTED)
