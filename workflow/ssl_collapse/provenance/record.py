"""What a job was made from, noted before it starts and written when it has succeeded.

A job whose results are in the store takes them from there instead of computing them.
"""

import logging
from pathlib import Path

from ssl_collapse.provenance.code import (
    code_digest,
    drop_old_bytecode,
    equal_code,
    forget,
    module_digests,
)
from ssl_collapse.provenance.content import Look, State, digest, look, vouch
from ssl_collapse.provenance.entry import Kept
from ssl_collapse.provenance.key import Input
from ssl_collapse.provenance.made_from import told
from ssl_collapse.provenance.shelf import Shelf
from ssl_collapse.provenance.sidecar import (
    TOLD,
    Request,
    Sidecar,
    named,
    path_of,
    read_sidecar,
)
from ssl_collapse.provenance.store import Collection
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_text

logger = logging.getLogger("ssl_collapse")


class Record:
    """One job: what it is asked for, its code and its inputs as they were when it began."""

    def __init__(self, request: Request, spec: str, script: Path, root: Path) -> None:
        """UserError where an input or the code is not what it was when the job was planned."""
        self.request, self.spec, self.script, self.root = request, spec, script, root
        if self._code() != request.code:
            raise UserError("the code has changed since this job was planned; start again")
        self.modules = module_digests(script, root, request.plugins)
        drop_old_bytecode(self.modules, root)
        self._read = [_read(Path(path)) for path in request.inputs]
        inputs = [read for _, read in self._read]
        self.inputs = {
            named(path, request.results): read.sha256
            for path, read in zip(request.inputs, inputs, strict=True)
        }
        if request.told:
            self.inputs[TOLD] = told(request.results, request.told)
            request = request.model_copy(update={"label": self.inputs[TOLD]})
        self.outputs = [Path(path) for path in request.outputs]
        self._shelf = Shelf(request, spec, inputs) if request.store else None
        self._collection: Collection | None = None

    def take(self) -> bool:
        """Take the results from the store, with their sidecars; whether they were there."""
        entry = self._shelf.take() if self._shelf else None
        if entry is None:
            return False
        self.modules = entry.manifest.modules
        for output, kept in zip(self.outputs, entry.manifest.results, strict=True):
            self._describe(output, kept.sha256)
        logger.info("taken from the store, not computed: %s", entry.folder)
        return True

    def write(self) -> None:
        """Describe every output; UserError where inputs or code changed while the job ran.

        They are linked to the store before: each link gives a file a new ctime.
        """
        for before, read in self._read:
            now = _look(read.file)
            # one that has got another link has another ctime; then its bytes must say so
            same = now.state.but_for_links() == before.but_for_links()
            if now.state != before and not (same and now.content() == read.sha256):
                raise UserError(f"{read.file} has changed while this job read it; start again")
        forget()
        if self._code() != self.request.code:
            raise UserError("the code has changed while this job ran; start again")
        self._collection = self._shelf.collect() if self._shelf else None
        for output in self.outputs:
            self._describe(output)

    def publish(self) -> None:
        """Let others find in the store what `write` has described."""
        if self._shelf and self._collection:
            sidecars = [read_sidecar(output) for output in self.outputs]
            kept = [Kept(bytes=s.bytes, sha256=s.sha256) for s in sidecars if s is not None]
            self._shelf.publish(self._collection, self.modules, kept)

    def _describe(self, output: Path, sha256: str | None = None) -> None:
        before = look(output)
        sidecar = Sidecar(
            rule=self.request.rule,
            spec=self.spec,
            code=self.request.code,
            modules=self.modules,
            inputs=self.inputs,
            bytes=before.bytes,
            sha256=sha256 or digest(output),
        )
        noted = path_of(output)
        write_text(noted, sidecar.model_dump_json(indent=1) + "\n")
        # Two jobs that make one result at once: a sidecar must not vouch for the other's.
        if look(output).but_for_links() != before.but_for_links():
            noted.unlink(missing_ok=True)
            raise UserError(f"{output}: another process has just written it; start again")
        vouch(output, before)

    def _code(self) -> str:
        plugins = tuple(self.request.plugins)
        return equal_code(self.request.rule, code_digest(self.script, self.root, plugins))


def _look(path: Path) -> Look:
    try:
        return Look.at(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _read(path: Path) -> tuple[State, Input]:
    seen = _look(path)
    sha256, sidecar = seen.content(), seen.sidecar
    if sidecar is not None and sidecar.sha256 != sha256:
        raise UserError(
            f"{path} is not what {path_of(path).name} says: it was changed after it was "
            "made; start again, and it is made again first"
        )
    seen.confirm()
    return seen.state, Input(sha256, sidecar.rule if sidecar else "", path)
