"""The state of an unfinished training, carried to where the next node finds it."""

import logging
from collections.abc import Iterable
from pathlib import Path

from ssl_collapse.runtime.files import write_text
from ssl_collapse.runtime.objects import objects_at

logger = logging.getLogger("ssl_collapse")
FINISHED = "finished"  # an object that says: what this is the state of has its results


class Mirror:
    """A copy of the folder of a state, as objects under the same name; without a `url`, none.

    No lock spans nodes. Where two train one run, whoever saves last is gone on from: objects are
    whole or not there, and a checkpoint that does not fit the state is noticed by its digest.
    """

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder = folder
        self._objects = objects_at(url) if url else None
        self._there: set[str] = set()  # checkpoints that need not be put there again

    def fetch(self, last: str) -> None:
        """Put what was saved last, on whichever node, into `folder`; `last` is written last."""
        if self._objects is None:
            return
        names = self._objects.stamps(self.folder.name)
        if f"{self.folder.name}/{last}" not in names:
            return
        for name in names:
            if not name.endswith(f"/{FINISHED}"):
                self._objects.get(name, self.folder.parent / name)
                self._there.add(name.removeprefix(f"{self.folder.name}/"))
        logger.info("fetched the state that was saved elsewhere")

    def changed(self, name: str) -> None:
        """Note that a file has been written anew."""
        self._there.discard(name)

    def push(self, once: Iterable[str], always: Iterable[str]) -> None:
        """Put files there, in this order; `once`: those that have not changed are there already.

        A storage that cannot be reached ends no training: a lost node loses more, that is all.
        """
        if self._objects is None:
            return
        try:
            for name in [*(n for n in once if n not in self._there), *always]:
                self._objects.put(self.folder / name, f"{self.folder.name}/{name}")
                self._there.add(name)
        except Exception as error:  # of whichever client
            logger.warning("the state was saved here only, not in the storage: %s", error)

    def finish(self) -> None:
        """Say that the state is needed no more once the results are in the storage."""
        if self._objects is not None:
            write_text(self.folder / FINISHED, "")
            self.push((), [FINISHED])
