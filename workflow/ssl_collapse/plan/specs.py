"""What each stage of each run is given: the part of the config that changes its result."""

from functools import cached_property
from typing import Any

from ssl_collapse.config.checkpoints import ImportEncoderSpec, PreprocessingConfig
from ssl_collapse.config.dataset import OrderingSpec, PackSpec
from ssl_collapse.config.evaluation import FullProbeSpec, ProbeSpec, RepresentSpec, ViewMeasuresSpec
from ssl_collapse.config.experiment import RunConfig
from ssl_collapse.config.families import all_backbone_modules, model_module
from ssl_collapse.config.figures import ReportSpec
from ssl_collapse.config.paper import missing_figures, paper_figures
from ssl_collapse.config.paths import PROJECTOR
from ssl_collapse.config.pretrain import Augmentation, PretrainSpec, Recipe
from ssl_collapse.config.summary import SummaryRow
from ssl_collapse.plan.page import on_page
from ssl_collapse.plan.runs import Point, Runs, file_digest, teacher_of


class Plan(Runs):
    """The specs of all stages, as plain data ready for JSON."""

    def figure_modules(self, name: str) -> tuple[str, ...]:
        """Modules that drawing a figure imports by computed name."""
        return (f"ssl_collapse.figures.{self.experiment.figures[name].kind}",)

    def textures(self, dataset: str) -> dict[str, Any]:
        """The generator's parameters."""
        source = self.experiment.datasets[dataset].source
        if source.users_own:
            raise KeyError(f"{dataset} is not generated")
        return source.recipe()

    def unpack(self, dataset: str) -> dict[str, Any]:
        """How stored images are read, and the digests of the files that hold them."""
        recipe = self.experiment.datasets[dataset].source.recipe()
        files = self.stored_digests.get(dataset)
        return {**recipe, "files": files} if files else recipe

    def dataset(self, dataset: str) -> dict[str, Any]:
        """What decides the images of a dataset, without where they lie."""
        recipe = self.experiment.datasets[dataset].source.recipe()
        subset = self.subset_digests.get(dataset)
        return {**recipe, "subset": subset} if subset else recipe

    def pack(self, dataset: str) -> dict[str, Any]:
        """How images are stored."""
        config = self.experiment.datasets[dataset]
        side = None if config.pack == "original" else config.sizes()[0]
        quality = config.jpeg_quality if config.pack == "jpeg" else None
        return PackSpec(shorter_side=side, jpeg_quality=quality).to_spec()

    def ordering(self, dataset: str, seed: int) -> dict[str, Any]:
        """The seed of the permutation, or the digest of the user's own."""
        if dataset in self.ordering_digests:
            return OrderingSpec(user=self.ordering_digests[dataset]).to_spec()
        return OrderingSpec(seed=seed).to_spec()

    def pretrain(self, run: str, seed: int) -> dict[str, Any]:
        """The recipe of one seed, resolved against its dataset."""
        config = self.run(run)
        prepared = self._prepared(config.dataset)
        return PretrainSpec(
            **_recipe(config),
            seed=seed,
            crop=prepared["crop"],
            mean=prepared["mean"],
            std=prepared["std"],
            start_epoch=config.start.epoch if config.start else 0,
        ).to_spec()

    def export_projector(self, epoch: int) -> dict[str, Any]:
        """The epoch whose projector is taken out of the checkpoints."""
        return {"epoch": epoch}

    def export_checkpoint(self, epoch: int) -> dict[str, Any]:
        """The epoch whose encoder is taken out of the checkpoints."""
        return {"epoch": epoch}

    def represent(self, run: str) -> dict[str, Any]:
        """How images are prepared for the encoder."""
        return RepresentSpec(**self._prepared(self.evaluated_on(run))).to_spec()

    def import_representations(self, run: str, split: str) -> dict[str, Any]:
        """The digests of a run's files of one split."""
        return {
            key: digest
            for (name, key, its_split), digest in self.file_digests.items()
            if (name, its_split) == (run, split)
        }

    def import_spectrum(self, run: str) -> dict[str, Any]:
        """The digest of a run's spectrum, and the settings of the measures."""
        return {"spectrum": self.file_digests[run, "spectrum", ""], **self.collapse()}

    def import_encoder(self, run: str, epoch: int) -> dict[str, Any]:
        """The digest of a checkpoint, and what was written of its encoder and its images."""
        config, dataset = self.experiment.checkpoints[run], self.dataset_of(run)
        resize, crop = dataset.written_sizes()
        written = {key: getattr(dataset, key) for key in ("mean", "std")}
        under = PreprocessingConfig(
            resize=resize,
            crop=crop,
            **{key: v for key, v in written.items() if key in dataset.model_fields_set},
        )
        path = self.checkpoint(run, epoch)
        return ImportEncoderSpec(
            checkpoint=file_digest(("runs", run, "checkpoint"), path),
            epoch=epoch,
            backbone=config.backbone,
            preprocessing=config.preprocessing.over(under),
        ).to_spec()

    def collapse(self) -> dict[str, Any]:
        """Settings of the label-free measures."""
        return self.experiment.evaluation.collapse.to_spec()

    def view_measures(self, run: str) -> dict[str, Any]:
        """How several views of an image are made for the measures that need them."""
        views = self.experiment.evaluation.views
        prepared = self._prepared(self.evaluated_on(run))
        if views is None:
            raise KeyError("evaluation.views is not set")
        kept = {key: prepared[key] for key in ("crop", "mean", "std")}
        trained = self.experiment.runs.get(run)  # of a checkpoint brought along: SimSiam's
        augmentation = trained.augmentation if trained else Augmentation()
        return ViewMeasuresSpec(**dict(views), **kept, augmentation=augmentation).to_spec()

    def knn(self) -> dict[str, Any]:
        """The k-NN protocol."""
        return self.experiment.evaluation.knn.to_spec()

    @cached_property
    def probes(self) -> dict[str, ProbeSpec]:
        """The linear probes, by the names of their results."""
        probe = self.experiment.evaluation.probe
        return probe.probes() if probe else {}

    def probes_of(self, run: str) -> dict[str, ProbeSpec]:
        """Those of them that a run has: of files, that on representations alone."""
        files = self.experiment.files.get(run)
        if files is None:
            return self.probes
        return {n: p for n, p in self.probes.items() if p.mode == "cached" and files.has_val}

    def probe(self, run: str, name: str = "probe") -> dict[str, Any]:
        """A linear probe's settings, in full mode with how its images are prepared."""
        probe = self.probes[name]
        if probe.mode == "cached":
            return probe.to_spec()
        return FullProbeSpec(**dict(probe), **self._prepared(self.evaluated_on(run))).to_spec()

    def _prepared(self, name: str) -> dict[str, Any]:
        dataset = self.experiment.datasets[name]
        resize, crop = dataset.sizes()
        return {"resize": resize, "crop": crop, "mean": dataset.mean, "std": dataset.std}

    def summarize(self) -> list[dict[str, Any]]:
        """What the plan knows of each row of the summary."""
        return [self._row(point) for point in self.points]

    def _row(self, point: Point) -> dict[str, Any]:
        """Of one analysed epoch; what was trained elsewhere has no recipe."""
        experiment, probes = self.experiment, self.probes_of(point.run)
        files, run = experiment.files.get(point.run), experiment.runs.get(point.run)
        about: dict[str, Any]
        if run is not None:
            about = {
                "dataset": run.dataset,
                "evaluated_on": run.evaluate_on,
                "recipe": Recipe(**_recipe(run)),
                "start_run": run.start.run if run.start else None,
                "start_epoch": run.start.epoch if run.start else None,
                "projector": PROJECTOR in self.layers(point.run),
            }
        else:
            about = {
                "dataset": None if files else self.dataset_name(point.run),
                "recipe": None,
                "share": (files or experiment.checkpoints[point.run]).share,
                "knn": files is None or files.has_val,
            }
        return SummaryRow(
            run=point.run,
            seed=point.seed,
            epoch=point.epoch,
            final=point.epoch == self.last_epoch(point.run),
            views=files is None and experiment.evaluation.views is not None,
            probe="probe" in probes,
            probe_cached="probe-cached" in probes,
            **about,
        ).to_spec()

    def figure(self, name: str) -> dict[str, Any]:
        """One figure, its runs written out, with what it owes to the others of its page."""
        return on_page(self.experiment, name).to_spec()

    def report(self) -> dict[str, Any]:
        """Heading, description and runs of the report."""
        experiment = self.experiment
        story = paper_figures(experiment.runs)
        return ReportSpec(
            title=experiment.title,
            description=experiment.description,
            runs=experiment.all_runs(),
            figures=list(experiment.figures),  # the order of the page
            missing=missing_figures(experiment.figures) if experiment.figures == story else [],
        ).to_spec()

    def model_modules(self, run: str) -> tuple[str, ...]:
        """Modules that training a run imports by computed name."""
        config, teacher = self.run(run), teacher_of(self.run(run))
        others = self.backbone_modules(teacher.run) if teacher else ()
        return tuple(dict.fromkeys((*self._modules(config.backbone, config.method), *others)))

    def layer_modules(self, run: str, layer: str) -> tuple[str, ...]:
        """Modules that rebuilding the network up to a layer imports by computed name."""
        return self.model_modules(run) if layer else self.backbone_modules(run)

    def backbone_modules(self, run: str) -> tuple[str, ...]:
        """Modules that rebuilding a run's encoder imports by computed name; files have none."""
        if run in self.experiment.files:
            return ()
        if run in self.experiment.checkpoints:  # whose files may hold any
            return all_backbone_modules()
        return self._modules(self.run(run).backbone)

    @staticmethod
    def _modules(*configs: Any) -> tuple[str, ...]:
        return tuple(name for c in configs for name in (type(c).__module__, model_module(c)))


def _recipe(run: RunConfig) -> dict[str, Any]:
    """The keys of a run that change the trained weights; a teacher does so by its content."""
    keys = {name: getattr(run, name) for name in Recipe.model_fields}
    if teacher_of(run):
        keys["method"] = run.method.model_copy(update={"teacher": None})
    return keys
