"""The store: finished results, each under the key of all that decides its bytes.

    STORE/ab/KEY/USER/out/0, out/1, ...   what a job made, in the order of its rule's outputs
    STORE/ab/KEY/USER/manifest.json       what that was made from, and the digest of each
    STORE/notes/ab/NAME/USER              another name of a key: 64 letters

A result and its entry are two names of one file (a hard link) where that is possible, else copies.
An entry appears by one rename, whole or not at all; no lock is held, and whoever is first wins.

An edit of a result in place therefore damages its entry. So a manifest is dated as sidecars are
(see `content`), by the ctime of what it describes; where the two disagree the bytes are read before
they are taken, and an entry that is not what its manifest says is removed.

Everybody writes under the number of their user. What others wrote is taken only with `everyone`,
and of formats that cannot run code (`harmless`).
"""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ssl_collapse.provenance.content import Look, look
from ssl_collapse.provenance.entry import DamagedError, Entry, Manifest, link_all, put, read_entry
from ssl_collapse.runtime.command_line import is_full
from ssl_collapse.runtime.files import remove, temporary_beside, write_text

logger = logging.getLogger("ssl_collapse")
_USER = re.compile(r"\d+")


class Store:
    """A folder of entries, which need not be there yet; everyone: take what other users wrote."""

    def __init__(self, root: Path, everyone: bool = False) -> None:
        self.root, self.everyone = root, everyone

    def find(
        self,
        key: str,
        kinds: Sequence[str],
        damaged: Callable[[Path, Exception], None] = lambda folder, why: None,
    ) -> Iterator[Entry]:
        """The entries of a key, ours before others'.

        kinds: the endings of the results' names. damaged: called with every folder that is no
        entry, and why.
        """
        for folder in self._candidates(self.place(key)):
            try:
                yield read_entry(folder, key, kinds)
            except (FileNotFoundError, NotADirectoryError, PermissionError):  # none for us
                continue
            except (OSError, ValueError, DamagedError) as error:  # ValidationError is a ValueError
                damaged(folder, error)

    def take(self, key: str, outputs: Sequence[Path]) -> Entry | None:
        """Put the results of a key where they belong; None where they are not in the store.

        Each appears whole; on an error none has changed. What is damaged is removed.
        """
        for entry in self.find(key, [output.suffix for output in outputs], self._remove):
            try:
                put(entry, outputs)
                with suppress(OSError):
                    os.utime(entry.folder)  # when it was last of use
                return entry
            except DamagedError as error:
                self._remove(entry.folder, error)
            except FileNotFoundError:  # another process has just removed it
                continue
            except OSError as error:
                if is_full(error):
                    raise
                logger.warning("the store: %s is not taken: %s", entry.folder, error)
        return None

    def note(self, name: str, key: str) -> None:
        """Remember another name of a key."""
        with suppress(OSError):
            path = self.place(name, "notes") / str(os.getuid())
            write_text(path, key)
            self.open_to_others(path)

    def noted(self, name: str) -> str | None:
        """The key that was noted under a name."""
        for path in self._candidates(self.place(name, "notes")):
            with suppress(OSError, ValueError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_uid == int(path.name):
                    key = path.read_text("ascii") if status.st_size == 64 else ""
                    if re.fullmatch("[0-9a-f]{64}", key):
                        return key
        return None

    def _remove(self, folder: Path, why: Exception) -> None:
        text = str(why).partition("\n")[0]
        logger.warning("the store: %s is damaged and removed: %s", folder, text)
        with suppress(OSError):  # another user's
            drop(folder)

    def open_to_others(self, folder: Path) -> None:
        """Give a new folder, all in it and those above it the permissions of the store itself.

        So whoever may read or write in the store may do so here, whatever our umask.
        """
        mode = stat.S_IMODE(self.root.stat().st_mode)
        above = [path for path in folder.parents if path.is_relative_to(self.root)]
        for path in [*above, folder, *folder.rglob("*")]:
            present = stat.S_IMODE(path.stat().st_mode)
            wanted = mode if path.is_dir() else present | mode & 0o444
            if wanted != present:
                with suppress(PermissionError):  # a folder of another user
                    path.chmod(wanted)

    def place(self, name: str, kind: str = ".") -> Path:
        """What everybody has under a name."""
        return self.root / kind / name[:2] / name

    def _candidates(self, place: Path) -> list[Path]:
        """What we, and where they are trusted others, have under a name."""
        ours = place / str(os.getuid())
        if not self.everyone:
            return [ours]
        others = [p for p in sorted(place.glob("*")) if _USER.fullmatch(p.name) and p != ours]
        return [ours, *others]


class Collection:
    """An entry that is being made in `folder`, beside its place.

    Whatever hinders it is no reason for a job to fail: then there is no `folder`, and no entry.
    What a process that dies leaves, the next that makes the same entry removes.
    """

    def __init__(self, store: Store, key: str, outputs: Sequence[Path]) -> None:
        """Link what a job has made; before it is digested: each link gives a file a new ctime."""
        self.place = store.place(key) / str(os.getuid())
        self.folder: Path | None = None
        try:
            self.folder = temporary_beside(self.place)
            (self.folder / "out").mkdir(parents=True)
            for i, output in enumerate(outputs):
                link_all(output, self.folder / "out" / str(i))
            store.open_to_others(self.folder)
        except OSError as error:
            self._give_up(error)

    def publish(self, manifest: Manifest, outputs: Sequence[Path]) -> None:
        """Put the entry in its place, unless there is one already.

        outputs: the results, whose sidecars are written.
        """
        if self.folder is None:
            return
        try:
            entry = Entry(self.folder, manifest)
            state = look(entry.out)
            write_text(entry.file, manifest.model_dump_json(indent=1) + "\n")
            entry.file.chmod(0o644)  # our word, which nobody else changes
            # The same files as the results, whose sidecars say what is in them: nothing is read.
            if all(_is_same(entry.result(i), output) for i, output in enumerate(outputs)):
                entry.date(state)
            self.folder.rename(self.place)
            self.folder = None
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Leave nothing behind; it is said why, unless another process was first."""
        if not self.place.exists():
            logger.warning("the store: %s is not kept: %s", self.place, error)
        if self.folder is not None:
            remove(self.folder)
            self.folder = None


def drop(folder: Path) -> None:
    """Remove an entry: at once out of sight, then file by file."""
    aside = temporary_beside(folder)
    folder.rename(aside)
    remove(aside)


def _is_same(kept: Path, output: Path) -> bool:
    seen = Look.at(output)
    return seen.is_unchanged and seen.state.identity == look(kept).identity
