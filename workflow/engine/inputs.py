"""The inputs of rules that depend on the config, as functions of the wildcards."""

from collections.abc import Callable
from typing import Any

from engine.stage import answered
from ssl_collapse.config.paths import fill
from ssl_collapse.plan.results import SPLITS, Results
from ssl_collapse.plan.runs import Point


class Inputs:
    """What each stage reads."""

    def __init__(self, results: Results) -> None:
        self.results, self.plan, self.paths = results, results.plan, results.paths

    @answered
    def images(self, wildcards: Any) -> list[str]:
        """The generated images of a dataset; a user's own are no result, and no input."""
        source = self.plan.experiment.datasets[wildcards.dataset].source
        return [] if source.users_own else [fill(self.paths.images, **wildcards)]

    @answered
    def training_images(self, wildcards: Any) -> str:
        """The packed images that a run trains on."""
        return self.results.packed(self.plan.run(wildcards.run).dataset, "train")

    @answered
    def ordering(self, wildcards: Any) -> str:
        """The order in which a seed of a run meets them."""
        dataset = self.plan.run(wildcards.run).dataset
        return fill(self.paths.ordering, dataset=dataset, seed=wildcards.seed)

    @answered
    def start(self, wildcards: Any) -> str | list[str]:
        """The checkpoints of the run that a hybrid run starts from."""
        start = self.plan.run(wildcards.run).start
        return fill(self.paths.checkpoints, run=start.run, seed=wildcards.seed) if start else []

    @answered
    def projector(self, wildcards: Any) -> str | list[str]:
        """The projector, where representations are those of its layer."""
        return fill(self.paths.projector, **wildcards) if wildcards.layer else []

    @answered
    def viewed(self, wildcards: Any) -> str:
        """The packed images whose views are compared."""
        return self.results.packed(self.plan.evaluated_on(wildcards.run), "train")

    def brought(self, key: str) -> Callable[[Any], str]:
        """Where a file of a run of files lies, by the wildcards: no part of any spec."""
        return lambda w: self.plan.file(w.run, key, w.get("split", ""))

    def checkpoint(self, wildcards: Any) -> str:
        """Where the file of an epoch of a run of checkpoints lies: no part of any spec."""
        return str(self.plan.checkpoint(wildcards.run, int(wildcards.epoch)))

    @answered
    def teacher(self, wildcards: Any) -> str | list[str]:
        """The encoder that a run learns from."""
        teacher = self.plan.teacher(wildcards.run, int(wildcards.seed))
        return self.results.at(self.paths.encoder, teacher) if teacher else []

    @answered
    def represented(self, wildcards: Any) -> str:
        """The packed images of a split whose representations are taken."""
        return self.results.packed(self.plan.evaluated_on(wildcards.run), wildcards.split)

    @answered
    def probed(self, wildcards: Any) -> dict[str, str | list[str]]:
        """What a linear probe reads: representations, or in full mode the encoder and images."""
        if self.plan.probes[wildcards.probe].mode == "cached":
            files = [fill(self.paths.representations, **wildcards, split=s) for s in SPLITS]
            return {"representations": files, "encoder": [], "train": [], "val": []}
        dataset = self.plan.evaluated_on(wildcards.run)
        images: dict[str, str | list[str]] = {s: self.results.packed(dataset, s) for s in SPLITS}
        encoder = fill(self.paths.encoder, **wildcards)
        return {"representations": [], "encoder": encoder, **images}

    def summarized(self) -> list[str]:
        """All that the table is made from."""
        points, results = self.plan.points, self.results
        trained = {results.at(self.paths.training, p) for p in points if results.has(p, "training")}
        trainings = sorted(trained)
        return [
            *(path for point in points for path in self._measured(point)),
            *trainings,
            *self.descriptions(),
        ]

    def _measured(self, point: Point) -> list[str]:
        """The numbers of one analysed epoch."""
        knn = [self.paths.knn] if self.results.has(point, "val") else []
        patterns = [self.paths.collapse, *knn, *self.results.view_measures(point)]
        return [
            *(
                self.results.at(pattern, point, layer=layer)
                for pattern in patterns
                for layer in self.plan.layers(point.run)
            ),
            *(self.results.at(probe, point) for probe in self.results.probes(point.run)),
        ]

    def descriptions(self) -> list[str]:
        """dataset.json of every dataset that a run uses."""
        names = self.plan.used_datasets()
        return [fill(self.paths.description, dataset=name) for name in names]

    @answered
    def spectra(self, wildcards: Any) -> list[str]:
        """The spectra that a figure draws."""
        points = self.plan.figure_points(wildcards.figure)
        return [self.results.at(self.paths.spectrum, point) for point in points]

    @answered
    def trainings(self, wildcards: Any) -> list[str]:
        """The training.csv files that a figure draws."""
        points = self.plan.figure_trainings(wildcards.figure)
        return [self.results.at(self.paths.training, point) for point in points]

    def figures(self, kind: str) -> list[str]:
        """One file of every figure."""
        names = self.plan.experiment.figures
        return [fill(self.paths.figure, figure=name, kind=kind) for name in names]
