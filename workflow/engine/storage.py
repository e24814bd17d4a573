"""Results in a storage of Snakemake's (`--default-storage-provider`), for jobs that share no files.

Snakemake carries what rules declare. This carries the sidecar beside each result, and tells the
judge what is there without fetching it: beside a result RESULT and its sidecar lies an empty object
RESULT.stored-DIGEST, of what the storage itself says of both (size, and ETag or dates and inode).
Whoever edits, exchanges or removes one of them makes another digest of it. It is written last and
removed first, so that a result that was stored half does not count. What a job fetches is digested.
"""

import hashlib
import json
import os
import tempfile
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.paths import INSIDE
from ssl_collapse.provenance.content import Look, Looks, State
from ssl_collapse.provenance.sidecar import SUFFIX, Sidecar, path_of, read_sidecar
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path, remove
from ssl_collapse.runtime.mirror import FINISHED
from ssl_collapse.runtime.objects import Objects, objects_at
from ssl_collapse.runtime.saved_state import PLACE

# What lies undeclared beside a result and travels with it.
_PAIRS = {INSIDE.description: INSIDE.inventory, INSIDE.training: INSIDE.speed}
COMPANIONS = {Path(result).name: Path(companion).name for result, companion in _PAIRS.items()}
SETTINGS = {  # of the S3 plugin -> as the client of our own is told them, and that of the jobs
    "endpoint_url": "AWS_ENDPOINT_URL_S3",
    "region": "AWS_DEFAULT_REGION",
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}


class Listing:
    """The objects of a storage at one time: name -> what it says of it."""

    def __init__(self, stamps: dict[str, str]) -> None:
        self.stamps, self._names = stamps, sorted(stamps)

    def within(self, name: str) -> list[tuple[str, str]]:
        """The objects of a result: one file, or those of a folder."""
        objects = [(name, self.stamps[name])] if name in self.stamps else []
        begin, end = (bisect_left(self._names, name + c) for c in ("/", "0"))  # "0" follows "/"
        return objects + [(n, self.stamps[n]) for n in self._names[begin:end]]

    def marks(self, name: str) -> list[str]:
        """What vouches for the result, or did."""
        begin, end = (bisect_left(self._names, f"{name}.stored{c}") for c in "-.")  # "." follows
        return self._names[begin:end]

    def mark(self, name: str) -> str:
        """What would vouch for the result and its sidecar as they are."""
        said = [self.within(name), self.stamps.get(name + SUFFIX)]
        return f"{name}.stored-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]}"


class Storage:
    """The results of this workflow in a storage.

    Args:
        url: their folder there; also a job finds the states of unfinished trainings by it.
        folder: that of the local copies, as Snakemake names them in rules.
    """

    def __init__(self, url: str, folder: str) -> None:
        self.url, self.folder = url, folder
        self.objects: Objects = objects_at(url)

    @cached_property
    def listing(self) -> Listing:
        """All objects, when they were first asked for."""
        return Listing(self.objects.stamps())

    @cached_property
    def sidecars(self) -> dict[str, Sidecar]:
        """All sidecars that can be read, by the names of their results; fetched at once."""
        names = [n.removesuffix(SUFFIX) for n in self.listing.stamps if n.endswith(SUFFIX)]
        with ThreadPoolExecutor(16) as pool:
            pairs = zip(names, pool.map(self._sidecar, names), strict=True)
            return {name: sidecar for name, sidecar in pairs if sidecar is not None}

    def _sidecar(self, name: str) -> Sidecar | None:
        try:
            return Sidecar.model_validate_json(self.objects.read(name + SUFFIX))
        except (OSError, ValidationError):
            return None

    def name(self, path: Any) -> str | None:
        """The name of a local copy's object; None for other files."""
        text = str(path)
        inside = text.startswith(f"{self.folder}/")
        return text.removeprefix(f"{self.folder}/") if inside else None

    def fetch(self, path: Path) -> None:
        """Put what is stored beside results, sidecar or companion, to its local place, if any."""
        try:
            stored = self.objects.read(str(self.name(path)))
            if not path.exists() or path.read_bytes() != stored:  # keeps its date if it can
                with atomic_path(path) as temporary:
                    temporary.write_bytes(stored)
        except OSError:
            path.unlink(missing_ok=True)

    # --- what Snakemake's hooks call, in the process that stores or fetches a file ---------------
    def before_storing(self, file: str) -> None:
        """From now on the result does not count."""
        if name := self.name(file):
            self._unmark(name)

    def after_storing(self, file: str) -> None:
        """Store what lies beside the result; then it counts."""
        path, name = Path(file), self.name(file)
        if name is None or read_sidecar(path) is None:  # a log
            return
        companion = path.with_name(COMPANIONS.get(path.name, path.name))
        if companion != path and companion.is_file():
            self.objects.put(companion, str(self.name(companion)))
        self.objects.put(path_of(path), name + SUFFIX)
        with tempfile.NamedTemporaryFile() as empty:
            self.objects.put(Path(empty.name), self._now(name).mark(name))

    def before_fetching(self, file: str) -> None:
        """Fetch the sidecar; remove a local copy that it does not describe."""
        path = Path(file)
        if self.name(file) is None:
            return
        self.fetch(path_of(path))
        if path.exists() and not _agrees(path):
            remove(path)

    def after_fetching(self, file: str) -> None:
        """UserError where the sidecar says otherwise; then the result is made again."""
        path, name = Path(file), self.name(file)
        if name is not None and path.exists() and not _agrees(path):
            self._unmark(name)
            raise UserError(
                f"{name} in the storage is not what {path_of(path).name} says; start again, and "
                "it is made again first"
            )

    def _unmark(self, name: str) -> None:
        for mark in self._now(name).marks(name):
            self.objects.remove(mark)

    def _now(self, name: str) -> Listing:
        return Listing(self.objects.stamps(name.rpartition("/")[0]))

    # --- states of unfinished trainings ----------------------------------------------------------
    def fetch_places(self, folder: Path) -> None:
        """How far the unfinished trainings under a local folder of states are."""
        for name in self.objects.stamps(str(self.name(folder))):
            if name.endswith(f"/{PLACE}"):
                self.fetch(Path(self.folder, name))

    def forget_finished(self, output: str, kind: str) -> None:
        """Remove the states of a seed's finished trainings; its results are in the storage."""
        _, run, seed, *_ = str(self.name(output)).split("/")
        names = [name for name, _ in self.listing.within(f"state/{run}/{seed}")]
        for finished in [n for n in names if f"/{kind}-" in n and n.endswith(f"/{FINISHED}")]:
            for name in names:
                if name.startswith(finished.removesuffix(FINISHED)):
                    self.objects.remove(name)


def _agrees(path: Path) -> bool:
    """Whether a local copy is what its sidecar says, if it has one; if so, that is noted."""
    seen = Look.at(path)
    seen.confirm()
    return seen.sidecar is None or seen.content() == seen.sidecar.sha256


class StoredLook(Look):
    """One look at a result that lies in a storage, by what the storage says of it."""

    def content(self, everything: bool = False) -> str:
        """The digest that its sidecar states; "changed" where nothing vouches for that."""
        return self.sidecar.sha256 if self.sidecar and self.state.bytes else "changed"

    def confirm(self) -> None:
        """Nothing: who stored it has vouched for it."""


class StoredLooks(Looks):
    """Looks at what a storage said of all its objects when it was first asked."""

    def __init__(self, storage: Storage, everything: bool = False) -> None:
        """UserError for a look at everything, which would have to fetch all that is there."""
        super().__init__()
        self._storage = storage
        if everything:
            raise UserError(
                "results in a storage are digested where jobs read them; to verify all of them, "
                "fetch them into a folder and leave --default-storage-provider out"
            )

    def at(self, path: str) -> Look | None:
        """What is there; None where there is no such result."""
        name, listing = self._storage.name(path), self._storage.listing
        if name is None:
            return super().at(path)
        if not listing.within(name):
            return None
        vouched = State(listing.mark(name) in listing.stamps, 0, ())
        return StoredLook(Path(path), vouched, self._storage.sidecars.get(name))


def storage_of(workflow: Any, folder: str) -> Storage | None:
    """The storage that Snakemake was told of, with the folder of results in it; None without one.

    UserError for a provider whose objects this cannot carry sidecars to.
    """
    provider = workflow.storage_settings.default_storage_provider
    if provider is None:
        return None
    if provider not in ("fs", "s3"):
        raise UserError(
            f"--default-storage-provider {provider}: results of this workflow can lie in a storage "
            "of `fs` or `s3` (what is recorded beside them is carried by the workflow itself)"
        )
    prefix = str(workflow.storage_settings.default_storage_prefix or "").rstrip("/")
    theirs = workflow.storage_registry.default_storage_provider
    if provider == "s3":
        given = {SETTINGS[name]: getattr(theirs.settings, name) for name in SETTINGS}
        os.environ.update({name: value for name, value in given.items() if value})
    here = theirs.object(f"{prefix}/{folder}" if prefix else folder)
    if provider == "s3":
        _look_for_folders_again(type(here))
    return Storage(
        here.query if provider == "s3" else str(Path(here.query).absolute()), str(here.local_path())
    )


def _look_for_folders_again(objects: Any) -> None:
    """Let the S3 plugin (0.3.6) not remember that there was no folder: a job may have made it."""
    theirs = objects.is_dir

    def is_dir(self: Any) -> bool:
        self._is_dir = self._is_dir or None
        return bool(theirs(self))

    objects.is_dir = is_dir
