"""A job's place in the store: its key, and the one that it has by the lineage of packed images."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ssl_collapse.provenance.entry import Entry, Kept, Manifest
from ssl_collapse.provenance.key import Input, digest_of, ingredients, lineage
from ssl_collapse.provenance.sidecar import Request
from ssl_collapse.provenance.store import Collection, Store


class Shelf:
    """One job before the store that its request names; inputs: in the order of `request.inputs`."""

    def __init__(self, request: Request, spec: str, inputs: Sequence[Input]) -> None:
        self.request, self.spec, self.inputs = request, spec, inputs
        self.store = Store(Path(request.store), request.everyone)
        self.outputs = [Path(output) for output in request.outputs]
        self._made_from = ingredients(request, spec, inputs)
        self._key = digest_of(self._made_from)

    @cached_property
    def _by_lineage(self) -> str | None:
        """The key with packed images by their lineage; None for jobs that read none."""
        packed = {read.sha256 for read in self.inputs if read.stage == "pack"}
        noted = {sha256: self.store.noted(sha256) for sha256 in packed}
        lineages = {sha256: found for sha256, found in noted.items() if found}
        if not lineages:
            return None
        return digest_of(ingredients(self.request, self.spec, self.inputs, lineages))

    def _keys(self) -> list[str]:
        other = self.store.noted(self._by_lineage) if self._by_lineage else None
        return [self._key, *([other] if other else [])]

    def find(self) -> Entry | None:
        """The job's results in the store, if they are there; nothing is written."""
        kinds = [output.suffix for output in self.outputs]
        return next((e for key in self._keys() for e in self.store.find(key, kinds)), None)

    def take(self) -> Entry | None:
        """Put the job's results from the store where they belong, if they are there."""
        for key in self._keys():
            if entry := self.store.take(key, self.outputs):
                return entry
        return None

    def collect(self) -> Collection:
        """The results as a new entry, which `publish` puts in its place."""
        return Collection(self.store, self._key, self.outputs)

    def publish(self, collection: Collection, modules: dict[str, str], kept: list[Kept]) -> None:
        """Let others find the results, by every name of theirs."""
        manifest = Manifest(made_from=self._made_from, modules=modules, results=kept)
        collection.publish(manifest, self.outputs)
        if self._by_lineage:
            self.store.note(self._by_lineage, self._key)
        if self.request.rule == "pack":
            for result in kept:
                self.store.note(result.sha256, lineage(self.request, self.spec, self.inputs))
