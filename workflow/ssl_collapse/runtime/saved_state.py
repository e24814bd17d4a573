"""The state of an unfinished training: what an interrupted run goes on from.

It lies undeclared in `results/state/{run}/{digest}/`, where Snakemake does not delete it when the
job fails; the digest of recipe and code keeps another recipe from resuming it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_folder

# Seconds: processes that loaded images for a killed trainer hold its lock for five more.
PATIENCE = 10.0


class SavedState:
    """The folder of an unfinished training or probe: `file` is its state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints = folder / "checkpoints"
        self.file = folder / "state.pt"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock; the system releases it when the process dies, however it dies.

        UserError if another process still holds it after PATIENCE.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise UserError(
                f"{self.folder}: another process is training this run; wait for it or stop it"
            ) from None
        try:
            self.checkpoints.mkdir(exist_ok=True)
            yield
        finally:
            lock.release()

    def of_other_recipes(self) -> list[Path]:
        """Unfinished trainings of this run by another recipe or code, which is never resumed."""
        beside = self.folder.parent.iterdir()
        return sorted(f for f in beside if f != self.folder and any(f.glob("checkpoints/*.pt")))

    def publish(self, folder: Path) -> None:
        """Put the checkpoints into `folder`, as links: they stay here until `remove`.

        So a job that dies in between, whose results Snakemake deletes, need not train again.
        """
        with atomic_folder(folder) as temporary:
            shutil.copytree(self.checkpoints, temporary, copy_function=_link, dirs_exist_ok=True)

    def remove(self) -> None:
        """Forget the state after success, and the run's folder if nothing else is in it."""
        shutil.rmtree(self.folder)
        for parent in list(self.folder.parents)[:2]:
            if parent.name and parent.name != "state" and not any(parent.iterdir()):
                parent.rmdir()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links, or another one
        shutil.copy2(source, target)
