"""Every result of an experiment, and what each is made from: paths, from the plan."""

import re
from collections.abc import Iterator

from ssl_collapse.config.paths import FIGURE_FILES, PROJECTOR, Paths, fill
from ssl_collapse.plan.runs import Point
from ssl_collapse.plan.specs import Plan

SPLITS = ("train", "val")


class Results:
    """The results of a plan, as paths that a module's `prefix:` is still put before."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.paths = plan, Paths(plan.experiment.results)

    def everything(self) -> Iterator[str]:
        """Every result: what the target `all` stands for."""
        for dataset in self.plan.used_datasets():
            yield from self.of_dataset(dataset)
        for name, run in self.plan.experiment.runs.items():
            for seed in run.seeds:
                for pattern in (self.paths.training, self.paths.checkpoints):
                    yield fill(pattern, run=name, seed=seed)
                yield fill(self.paths.ordering, dataset=run.dataset, seed=seed)
        for point in self.plan.points:
            yield from self.of_point(point)
        yield self.paths.summary
        for name in self.plan.experiment.figures:
            yield from self.figure(name)
        yield self.paths.report

    def images(self) -> Iterator[str]:
        """Generated images: made on the way, and no target of `all`."""
        users = self.plan.users_datasets()
        for dataset in self.plan.used_datasets():
            if dataset not in users:
                yield fill(self.paths.images, dataset=dataset)

    def images_made_by(self, rule: str) -> str:
        """A pattern of the names of datasets whose images a rule makes; it may fit none."""
        return "|".join(map(re.escape, self.plan.made_by(rule))) or "(?!)"

    def of_dataset(self, dataset: str) -> Iterator[str]:
        """Description and packed images of a dataset."""
        yield fill(self.paths.description, dataset=dataset)
        for split in SPLITS:
            yield self.packed(dataset, split)

    def of_point(self, point: Point) -> Iterator[str]:
        """Encoder, representations and measurements of one analysed epoch."""
        paths = self.paths
        layers = self.plan.layers(point.run)
        if self.has(point, "encoder"):
            yield self.at(paths.encoder, point)
        if PROJECTOR in layers:
            yield self.at(paths.projector, point)
        for layer in layers:
            for split in SPLITS:
                if self.has(point, split):
                    yield self.at(paths.representations, point, split, layer)
            measured = [paths.spectrum, paths.collapse, *self.view_measures(point)]
            if self.has(point, "val"):
                measured += [paths.knn_csv, paths.knn, *self.kept("knn").values()]
            for pattern in measured:
                yield self.at(pattern, point, layer=layer)
        patterns = self.probes(point.run) if self.has(point, "val") else []
        for pattern in self.kept("probe").values():
            probes = self.plan.probes_of(point.run)
            patterns += [pattern.replace("{probe}", name) for name in probes]
        for pattern in patterns:
            yield self.at(pattern, point)

    def view_measures(self, point: Point) -> list[str]:
        """The pattern of the measures of several views, where there are any."""
        wanted = self.plan.experiment.evaluation.views and self.has(point, "encoder")
        return [self.paths.view_measures] if wanted else []

    def has(self, point: Point, what: str) -> bool:
        """Whether there is a training, an encoder, or representations of `train` or `val`."""
        files = self.plan.experiment.files.get(point.run)
        if what == "training":
            return point.run in self.plan.experiment.runs
        if files is None or what == "encoder":
            return files is None
        return files.has_val if what == "val" else files.representations is not None

    def probes(self, run: str) -> list[str]:
        """The pattern of each of a run's probes."""
        return [self.paths.probe.replace("{probe}", name) for name in self.plan.probes_of(run)]

    def names(self, kind: str) -> str:
        """A pattern of the wildcard `run`: of the runs that are files of this kind."""
        experiment = self.plan.experiment
        runs = {**experiment.files, **experiment.checkpoints}.items()
        names = [re.escape(name) for name, run in runs if getattr(run, kind, None) is not None]
        return "|".join(names) or "(?!)"  # which nothing fits

    def not_named(self, kind: str) -> str:
        """A pattern of the wildcard `run`: of all other runs."""
        return f"(?!(?:{self.names(kind)})/)[A-Za-z0-9][A-Za-z0-9_.-]*"

    def kept(self, stage: str) -> dict[str, str]:
        """What a stage keeps besides where it is asked to: option of its script -> pattern."""
        if stage == "knn":
            wanted = self.plan.experiment.evaluation.knn.neighbors
            return {"neighbors": self.paths.neighbors} if wanted else {}
        wanted = any(probe.classifier for probe in self.plan.probes.values())
        return {"classifier": self.paths.classifier} if wanted else {}

    def at(self, pattern: str, point: Point, split: str = "", layer: str = "") -> str:
        """A result of one analysed epoch."""
        where = {"run": point.run, "seed": point.seed, "epoch": point.epoch}
        return fill(pattern, **where, split=split, layer=layer)

    def packed(self, dataset: str, split: str) -> str:
        """The packed images of a split."""
        return fill(self.paths.packed, dataset=dataset, split=split)

    def figure(self, name: str) -> list[str]:
        """The files of one figure."""
        return [fill(self.paths.figure, figure=name, kind=kind) for kind in FIGURE_FILES]
