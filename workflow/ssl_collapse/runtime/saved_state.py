"""The state of an unfinished training: what an interrupted run goes on from.

It lies undeclared in `results/state/{run}/{identity}/`, where Snakemake does not delete it when the
job fails; its identity keeps another recipe, other code and other inputs from resuming it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zipfile import ZipFile

from filelock import FileLock, Timeout

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import (
    atomic_folder,
    file_sha256,
    link,
    remove,
    temporary_beside,
    write_text,
)
from ssl_collapse.runtime.following import Following
from ssl_collapse.runtime.interruption import Budget, Cadence
from ssl_collapse.runtime.mirror import Mirror

logger = logging.getLogger("ssl_collapse")
# Seconds: processes that loaded images for a killed trainer hold its lock for five more.
PATIENCE = 10.0
PLACE = "place"  # a file beside the state: how far it is, in words


def identity(kind: str, *decisive: str) -> str:
    """The name of a state: "training" or "probe", and a digest of all that decides its result."""
    return f"{kind}-{hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]}"


class SavedState:
    """The folder of an unfinished training or probe: `file` is its state.

    budget: how long the job may run. digests: the sha256 of every checkpoint that was written, by
    name. following: who is told how far it is.
    """

    def __init__(self, folder: Path, budget: Budget = Budget()) -> None:  # noqa: B008
        self.folder, self.budget = folder, budget
        self._cadence = Cadence(budget.save_every)
        self._mirror = Mirror(folder, budget.mirror)
        self.following = Following(folder)
        self._gone: Path | None = None  # where the folder is on its way out
        self.checkpoints = folder / "checkpoints"
        self.file = folder / "state.pt"
        self.digests: dict[str, str] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock; the system releases it when the process dies, however it dies.

        UserError if another process still holds it after PATIENCE.
        """
        lock = FileLock(self.folder / "lock")
        try:
            while not lock.is_locked:
                _make(self.folder)
                with suppress(FileNotFoundError):  # who held it has ended, and removed the folder
                    lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise UserError(
                f"{self.folder}: another process is training this run; wait for it or stop it"
            ) from None
        try:
            self.checkpoints.mkdir(exist_ok=True)
            self._mirror.fetch(PLACE)
            yield
        finally:
            lock.release()
            self._clear()  # on NFS a lock that is held keeps its folder

    def exists(self) -> bool:
        """Whether there is a state to go on from; if not, those of other recipes are warned of.

        UserError for one that is not what was saved: torch.load compares no checksums.
        """
        if self.file.exists():
            if not _is_sound(self.file):
                raise UserError(
                    f"{self.file}: damaged since it was saved; put it back, or delete its folder "
                    "to start from nothing"
                )
            return True
        kind = self.folder.name.partition("-")[0]
        for other in sorted(self.folder.parent.glob(f"{kind}-*/{self.file.name}")):
            logger.warning(
                "%s holds an unfinished %s by another recipe, other code or other inputs: this one "
                "starts from nothing; delete that folder if you do not go back to it",
                *(other.parent, kind),
            )
        return False

    def due(self) -> bool:
        """Whether it is time to save again, in the middle of an epoch."""
        return self._cadence.due()

    @contextmanager
    def saving(self, epoch: int, step: int) -> Iterator[Path]:
        """Yield `file` to write the state to; notes how far it is, by which tries are counted."""
        started = time.perf_counter()
        yield self.file
        write_text(self.folder / PLACE, f"epoch {epoch}, step {step}\n")
        checkpoints = [f"{self.checkpoints.name}/{name}" for name in self.digests]
        self._mirror.push(checkpoints, [self.file.name, PLACE])
        self._cadence.saved(started)

    def record(self, checkpoint: str) -> None:
        """Note what is in a checkpoint that has just been written."""
        self.digests[checkpoint] = file_sha256(self.checkpoints / checkpoint)
        self._mirror.changed(f"{self.checkpoints.name}/{checkpoint}")

    def is_whole(self, checkpoint: str) -> bool:
        """Whether a checkpoint is there with the content that was written."""
        file, digest = self.checkpoints / checkpoint, self.digests.get(checkpoint)
        return file.is_file() and file_sha256(file) == digest

    def publish(self, folder: Path) -> None:
        """Put the recorded checkpoints into `folder`, as links: they stay here until `remove`.

        So a job that dies in between, whose results Snakemake deletes, need not train again.
        UserError for a checkpoint that is missing or damaged.
        """
        for name in self.digests:
            if not self.is_whole(name):
                raise UserError(
                    f"{self.checkpoints / name}: missing or damaged since it was written; start "
                    "again: training goes on from the last checkpoint before it"
                )
        with atomic_folder(folder) as temporary:
            for name in self.digests:
                link(self.checkpoints / name, temporary / name)

    def remove(self) -> None:
        """Forget the state after success, and the run's folder if nothing else is in it."""
        self._mirror.finish()
        self._gone = temporary_beside(self.folder)
        self.folder.rename(self._gone)  # who waits for the lock begins in a folder of its own
        self._clear()

    def _clear(self) -> None:
        if self._gone is None:
            return
        remove(self._gone)
        for parent in list(self.folder.parents)[:2]:
            if parent.name and parent.name != "state":
                with suppress(OSError):  # others lie in it, or one that ended has removed it
                    parent.rmdir()


def _is_sound(archive: Path) -> bool:
    try:
        with ZipFile(archive) as file:
            return file.testzip() is None
    except Exception:  # of whichever byte is wrong
        return False


def _make(folder: Path) -> None:
    """Make a state's folder while others that end remove the empty ones above it."""
    for _ in range(100):
        with suppress(FileNotFoundError, FileExistsError):  # one goes before, or while, it is seen
            return folder.mkdir(parents=True, exist_ok=True)
    return folder.mkdir(parents=True, exist_ok=True)
