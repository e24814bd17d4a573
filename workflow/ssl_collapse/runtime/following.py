"""How far a training or probe is, for those who watch it: a small file beside its state.

Nothing here changes a result, and nothing that fails here ends a training.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

logger = logging.getLogger("ssl_collapse")
PROGRESS = "progress.json"  # a file beside the state
EVERY = 2.0  # seconds between two writes
WINDOW = 30.0  # seconds over which the speed is taken


class Tracker(Protocol):
    """Where the curves of a training are kept besides: TensorBoard, MLflow, W&B."""

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers after `step` steps of the training."""

    def close(self) -> None:
        """Write what is left."""


class Following:
    """Tells how far a job is, in `folder`, and what its epochs gave to the trackers."""

    def __init__(self, folder: Path) -> None:
        self.trackers: dict[str, Tracker] = {}  # by name, for messages
        self._file = folder / PROGRESS
        self._epochs, self._steps, self._batch = 0, 1, 1
        self._known: dict[str, float] = {}  # of the last look, of the last epoch
        self._next = 0.0  # when to write again
        self._seen: deque[tuple[float, int]] = deque()  # time, steps of the whole training

    def begin(self, epochs: int, steps: int, batch_size: int) -> None:
        """Say what there is to do: epochs of so many steps of so many images."""
        self._epochs, self._steps, self._batch = epochs, steps, batch_size

    def step(self, epoch: int, step: int, loss: float | None = None) -> None:
        """Note that `step` steps of the epoch after `epoch` are done; loss: the epoch's so far."""
        now = time.monotonic()
        if loss is not None:
            self._known["loss"] = loss
        if now < self._next:
            return
        done = epoch * self._steps + step
        self._seen.append((now, done))
        while now - self._seen[0][0] > WINDOW and len(self._seen) > 2:
            self._seen.popleft()
        self._next = now + EVERY
        self._write({"epoch": epoch, "step": step, **self._speed(done)})

    def _speed(self, done: int) -> dict[str, float]:
        (began, first), (now, _) = self._seen[0], self._seen[-1]
        if now <= began or done <= first:
            return {}
        rate = (done - first) / (now - began)
        left = (self._epochs * self._steps - done) / rate
        return {"images_per_second": rate * self._batch, "seconds_left": left}

    def _write(self, place: Mapping[str, float]) -> None:
        sizes = {"epochs": self._epochs, "steps": self._steps}
        temporary = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk is told where results are written
            temporary.write_text(json.dumps({**sizes, **self._known, **place}), "utf-8")
            temporary.replace(self._file)  # unlike results it may be lost: no fsync

    def epoch(self, values: Mapping[str, float]) -> None:
        """Note what an epoch gave; `values` has its number as `epoch`."""
        curves = {name: value for name, value in values.items() if name != "epoch"}
        self._known |= curves
        for name, tracker in list(self.trackers.items()):
            try:
                tracker.note(int(values["epoch"]) * self._steps, curves)
            except Exception as error:
                logger.warning("%s fails and is left out from here on: %s", name, error)
                del self.trackers[name]

    @contextmanager
    def told_to(self, trackers: Mapping[str, Tracker]) -> Iterator[None]:
        """Within the block, epochs go to these trackers, too."""
        self.trackers.update(trackers)
        try:
            yield
        finally:
            for name, tracker in trackers.items():
                try:
                    tracker.close()
                except Exception as error:
                    logger.warning("%s: %s", name, error)


def read_progress(folder: Path, kind: str, since: float = 0.0) -> dict[str, Any] | None:
    """What the newest progress file of a "training" or "probe" says, of one written after `since`.

    folder: of all states of a run and seed. since: seconds of 1970. None where there is none.
    """
    progress = []
    for path in folder.glob(f"{kind}-*/{PROGRESS}"):
        try:
            if (written := path.stat().st_mtime) >= since:
                progress.append((written, json.loads(path.read_text("utf-8"))))
        except (OSError, ValueError):  # it has just ended
            continue
    return max(progress, key=lambda pair: pair[0])[1] if progress else None
