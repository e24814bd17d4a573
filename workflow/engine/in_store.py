"""Which jobs of a plan would take their results from the store instead of computing them."""

from pathlib import Path

from ssl_collapse.provenance.content import Looks
from ssl_collapse.provenance.key import Input
from ssl_collapse.provenance.shelf import Shelf
from ssl_collapse.provenance.sidecar import Request


class InStore:
    """Answers for one job after the other, causes first; writes nothing.

    What is below a job that would take its results is known by what the store holds of it; of what
    is below one that computes nothing can be said.
    """

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._made_again: dict[str, Input | None] = {}

    def __call__(self, request: Request, spec: str, stale: bool) -> bool:
        """Whether the job would run and its results are there."""
        if not (stale or self._made_again.keys() & set(request.inputs)):
            return False
        inputs = [self._input(path) for path in request.inputs]
        known = [read for read in inputs if read is not None]
        entry = None
        if request.store and len(known) == len(inputs):
            entry = Shelf(request, spec, known).find()
        for i, output in enumerate(request.outputs):
            self._made_again[output] = (
                Input(entry.manifest.results[i].sha256, request.rule, entry.result(i))
                if entry
                else None
            )
        return entry is not None

    def _input(self, path: str) -> Input | None:
        if path in self._made_again:
            return self._made_again[path]
        look = self._looks.at(path)
        if look is None:
            return None
        return Input(look.content(), look.sidecar.rule if look.sidecar else "", Path(path))
