"""The jobs of reruns.yaml and what each is made from, by hand: what the rerun tests compare with.

A job is written as its rule and what it makes: "pretrain iid/seed0", "pack photos/val",
"knn iid/seed0/epoch0002", "report".
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple


class Run(NamedTuple):
    """A run of the config: what it trains on and which epochs are analysed."""

    dataset: str = "textures"
    seeds: Sequence[int] = (0, 1)
    epochs: Sequence[int] = (4,)
    start: str | None = None


RUNS = {
    "iid": Run(epochs=(2, 4)),
    "current": Run(),
    "accumulate": Run(),
    "shares-share25": Run(),
    "shares-share50": Run(),
    "last": Run(),
    "hybrid": Run(start="current"),
    "photos": Run("photos"),
    "scans": Run("scans", seeds=(0,)),
}
FIGURES = ("spectra", "shares", "schedules")


class Jobs:
    """Every job of an experiment, and what each is made from."""

    def __init__(
        self,
        runs: Mapping[str, Run] = RUNS,
        figures: Sequence[str] = FIGURES,
        probe: str | None = "full",
        generated: Sequence[str] = ("textures",),
        layers: Sequence[str] = ("",),
        views: bool = False,
    ) -> None:
        self.layers, self.views = layers, views
        self.above: defaultdict[str, set[str]] = defaultdict(set)
        for dataset in {run.dataset for run in runs.values()}:
            images = {f"textures {dataset}"} if dataset in generated else set()
            self.above |= {job: set() for job in images}
            self.above[f"dataset {dataset}"] |= images
            for split in ("train", "val"):
                self.above[f"pack {dataset}/{split}"] |= images | {f"dataset {dataset}"}
        for name, run in runs.items():
            self._add_run(name, run, probe)
        for figure in figures:
            self.above[f"figure {figure}"] = {"summarize"}
        self.above["report"] = {"summarize", *(f"figure {figure}" for figure in figures)}

    def _add_run(self, name: str, run: Run, probe: str | None) -> None:
        images = {split: f"pack {run.dataset}/{split}" for split in ("train", "val")}
        for seed in run.seeds:
            ordering, trained = f"ordering {run.dataset}/seed{seed}", f"pretrain {name}/seed{seed}"
            self.above[ordering] = {f"dataset {run.dataset}"}
            self.above[trained] = {ordering, images["train"]}
            if run.start:
                self.above[trained].add(f"pretrain {run.start}/seed{seed}")
            for epoch in run.epochs:
                at = f"{name}/seed{seed}/epoch{epoch:04d}"
                encoder = f"export_checkpoint {at}"
                self.above[encoder] = {trained}
                represented = {split: f"represent {at}/{split}" for split in images}
                measures: set[str] = set()
                for layer in self.layers:
                    network = {encoder}
                    if layer:
                        network.add(f"export_projector {at}")
                        self.above[f"export_projector {at}"] = {trained}
                    measures |= self._measure(f"{at}{layer}", network, images)
                if probe:
                    full, cached = {encoder, *images.values()}, set(represented.values())
                    self.above[f"probe {at}/probe"] = cached if probe == "cached" else full
                    measures.add(f"probe {at}/probe")
                if probe == "both":
                    self.above[f"probe {at}/probe-cached"] = set(represented.values())
                    measures.add(f"probe {at}/probe-cached")
                self.above["summarize"] |= measures | {trained, f"dataset {run.dataset}"}

    def _measure(self, at: str, network: set[str], images: Mapping[str, str]) -> set[str]:
        """What is measured of one layer."""
        represented = {split: f"represent {at}/{split}" for split in images}
        for split, packed in images.items():
            self.above[represented[split]] = network | {packed}
        self.above[f"knn {at}"] = set(represented.values())
        self.above[f"collapse {at}"] = {represented["train"]}
        measures = {f"knn {at}", f"collapse {at}"}
        if self.views:
            self.above[f"view_measures {at}"] = network | {images["train"]}
            measures.add(f"view_measures {at}")
        return measures

    def matching(self, *patterns: str) -> frozenset[str]:
        """The jobs that fit any of the patterns (`*` stands for anything)."""
        for pattern in patterns:
            assert any(fnmatchcase(job, pattern) for job in self.above), f"no job is {pattern}"
        return frozenset(job for job in self.above if any(fnmatchcase(job, p) for p in patterns))

    def below(self, *patterns: str) -> frozenset[str]:
        """The jobs that fit, and every job that is made from what they make."""
        found: set[str] = set()
        added = set(self.matching(*patterns))
        while added:
            found |= added
            added = {job for job, above in self.above.items() if above & found} - found
        return frozenset(found)


ALL = Jobs()
below = ALL.below  # of the unedited plan
NOTHING: frozenset[str] = frozenset()
