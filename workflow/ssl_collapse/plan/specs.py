"""What each stage of each run is given: the part of the config that changes its result."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ssl_collapse.config.checkpoints import ImportEncoderSpec, PreprocessingConfig
from ssl_collapse.config.dataset import ImageSource, OrderingSpec, PackSpec
from ssl_collapse.config.evaluation import FullProbeSpec, ProbeSpec, RepresentSpec, ViewMeasuresSpec
from ssl_collapse.config.experiment import DatasetConfig, Experiment, RunConfig
from ssl_collapse.config.families import all_backbone_modules, model_module
from ssl_collapse.config.figures import ReportSpec, SpectraFigure
from ssl_collapse.config.methods import distillation
from ssl_collapse.config.methods.distillation import TeacherConfig
from ssl_collapse.config.paper import missing_figures, paper_figures
from ssl_collapse.config.pretrain import Augmentation, PretrainSpec, Recipe
from ssl_collapse.config.summary import SummaryRow
from ssl_collapse.plan.checkpoints import analyzed_epochs, files_of
from ssl_collapse.plan.paths import PROJECTOR
from ssl_collapse.runtime.digests import digest_of
from ssl_collapse.runtime.errors import UserError

# Where a run of files may have one: key of the config, and split
FILES = [("representations", "train"), ("representations", "val"), ("targets", "train")]
FILES += [("targets", "val"), ("spectrum", "")]
FILE_EPOCH = 1  # files are measured as if they were the only epoch of a training


@dataclass(frozen=True)
class Point:
    """One analysed epoch of one seed of one run."""

    run: str
    seed: int
    epoch: int


class Plan:
    """The specs of all stages, as plain data ready for JSON."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._orderings = self._digests("ordering")
        self._subsets = self._digests("subset")
        self._files = {
            name: _stored_digests(name, config.source)
            for name, config in experiment.datasets.items()
            if config.source.files()
        }
        self._brought = {
            (name, key, split): _file_digest(("runs", name, key, *filter(None, [split])), path)
            for name, run in experiment.files.items()
            for key, split in FILES
            if (path := run.path(key, split)) is not None
        }
        self._checkpoints = {n: files_of(run) for n, run in experiment.checkpoints.items()}

    def run(self, name: str) -> RunConfig:
        """The run called `name`."""
        return self.experiment.runs[name]

    def dataset_of(self, run: str) -> DatasetConfig:
        """The dataset that a run trains on, or of checkpoints is measured on."""
        return self.experiment.datasets[self.dataset_name(run)]

    def dataset_name(self, run: str) -> str:
        """What that dataset is called."""
        if run in self.experiment.checkpoints:
            return self.experiment.checkpoints[run].dataset
        return self.run(run).dataset

    def evaluated_on(self, run: str) -> str:
        """The name of the dataset whose representations are measured."""
        asked = None if run in self.experiment.checkpoints else self.run(run).evaluate_on
        return asked or self.dataset_name(run)

    @cached_property
    def points(self) -> list[Point]:
        """Every analysed epoch of every seed of every run, in the config's order; then files."""
        return [
            *(
                Point(name, seed, epoch)
                for name, run in self.experiment.runs.items()
                for seed in run.seeds
                for epoch in run.analyzed_epochs()
            ),
            *(
                Point(name, 0, epoch)
                for name, run in self.experiment.checkpoints.items()
                for epoch in analyzed_epochs(run)
            ),
            *(Point(name, 0, FILE_EPOCH) for name in self.experiment.files),
        ]

    def last_epoch(self, run: str) -> int:
        """The epoch that a run ends with; a run of files has but one."""
        if run in self.experiment.checkpoints:
            return max(self._checkpoints[run])
        runs = self.experiment.runs
        return runs[run].epochs if run in runs else FILE_EPOCH

    def file(self, run: str, key: str, split: str = "") -> str:
        """Where a file of a run of files lies; "" where there is none."""
        path = self.experiment.files[run].path(key, split)
        return "" if path is None else str(path)

    def teacher(self, run: str, seed: int) -> Point | None:
        """Whose encoder a student learns from; a run of checkpoints has the seed 0 alone."""
        teacher = teacher_of(self.run(run))
        if teacher is None:
            return None
        own = 0 if teacher.run in self.experiment.checkpoints else seed
        return Point(teacher.run, own if teacher.seed is None else teacher.seed, teacher.epoch)

    def used_datasets(self) -> list[str]:
        """The datasets of all runs."""
        experiment = self.experiment
        runs = [*experiment.runs, *experiment.checkpoints]
        return sorted({of(run) for run in runs for of in (self.dataset_name, self.evaluated_on)})

    def users_datasets(self) -> list[str]:
        """Those of them whose images are a user's own, and not generated."""
        datasets = self.experiment.datasets
        return [n for n in self.used_datasets() if datasets[n].source.users_own]

    def figure_points(self, name: str) -> list[Point]:
        """The points whose spectra a figure reads."""
        figure = self.experiment.figures[name]
        if not isinstance(figure, SpectraFigure):
            return []
        wanted = [plotted.name for plotted in figure.runs]
        return [
            point
            for run in wanted
            for point in self.points
            if point.run == run
            and (
                point.epoch == 0  # the baseline of every figure
                or (
                    (figure.epoch in ("last", point.epoch))
                    and (figure.epoch != "last" or point.epoch == self.last_epoch(run))
                )
            )
        ]

    def figure_trainings(self, name: str) -> list[Point]:
        """One point of each training whose training.csv a figure reads."""
        figure = self.experiment.figures[name]
        if figure.kind != "curves":
            return []
        wanted = {plotted.name for plotted in figure.runs}
        return list({(p.run, p.seed): p for p in self.points if p.run in wanted}.values())

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
        return {**recipe, "files": self._files[dataset]} if dataset in self._files else recipe

    def made_by(self, rule: str) -> list[str]:
        """The datasets whose images a rule makes."""
        sources = ((n, self.experiment.datasets[n].source) for n in self.used_datasets())
        return [name for name, source in sources if not source.users_own and source.made_by == rule]

    def all_sources(self) -> str:
        """JSON of the sources of the datasets that `unpack` makes, with where their files lie."""
        datasets = self.experiment.datasets
        return json.dumps({n: datasets[n].source.to_spec() for n in self.made_by("unpack")})

    def dataset(self, dataset: str) -> dict[str, Any]:
        """What decides the images of a dataset, without where they lie."""
        recipe = self.experiment.datasets[dataset].source.recipe()
        subset = self._subsets.get(dataset)
        return {**recipe, "subset": subset} if subset else recipe

    def folders(self, dataset: str, generated: str) -> dict[str, str]:
        """Where the images lie: `root`, or `train` and `val`."""
        return self.experiment.datasets[dataset].source.folders(generated)

    def all_folders(self, data: str) -> str:
        """JSON of where the images of every dataset lie; those that are generated under `data`."""
        datasets = self.experiment.datasets
        return json.dumps({name: self.folders(name, f"{data}/{name}/images") for name in datasets})

    def all_orderings(self) -> str:
        """JSON of the users' own orderings by dataset."""
        datasets = self.experiment.datasets.items()
        return json.dumps(
            {n: str(Path(d.ordering).expanduser()) for n, d in datasets if d.ordering}
        )

    def all_subsets(self) -> str:
        """JSON of the files of subsets by dataset."""
        return json.dumps({name: str(self.subset(name)) for name in self._subsets})

    def subset(self, dataset: str) -> Path | None:
        """The file of the numbers of the training images to use."""
        path = self.experiment.datasets[dataset].subset
        return Path(path).expanduser() if path else None

    def _digests(self, key: str) -> dict[str, str]:
        """sha256 of the files that datasets name under `key`, by dataset."""
        datasets = self.experiment.datasets.items()
        paths = {name: getattr(dataset, key) for name, dataset in datasets}
        return {
            name: _file_digest(("datasets", name, key), Path(path).expanduser())
            for name, path in paths.items()
            if path
        }

    def pack(self, dataset: str) -> dict[str, Any]:
        """How images are stored."""
        config = self.experiment.datasets[dataset]
        side = None if config.pack == "original" else config.sizes()[0]
        quality = config.jpeg_quality if config.pack == "jpeg" else None
        return PackSpec(shorter_side=side, jpeg_quality=quality).to_spec()

    def ordering(self, dataset: str, seed: int) -> dict[str, Any]:
        """The seed of the permutation, or the digest of the user's own."""
        if dataset in self._orderings:
            return OrderingSpec(user=self._orderings[dataset]).to_spec()
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
        keys = ("representations", "targets")
        return {k: self._brought[run, k, split] for k in keys if (run, k, split) in self._brought}

    def import_spectrum(self, run: str) -> dict[str, Any]:
        """The digest of a run's spectrum, and the settings of the measures."""
        return {"spectrum": self._brought[run, "spectrum", ""], **self.collapse()}

    def checkpoint(self, run: str, epoch: int) -> Path:
        """The file that an epoch of a run of checkpoints is in; of epoch 0, the last one."""
        files = self._checkpoints[run]
        return files.get(epoch) or files[max(files)]

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
            checkpoint=_file_digest(("runs", run, "checkpoint"), path),
            epoch=epoch,
            backbone=config.backbone,
            preprocessing=config.preprocessing.over(under),
        ).to_spec()

    def collapse(self) -> dict[str, Any]:
        """Settings of the label-free measures."""
        return self.experiment.evaluation.collapse.to_spec()

    def layers(self, run: str) -> list[str]:
        """The folders of the layers whose representations are taken, the backbone's being "".

        A run that was trained elsewhere has the backbone's alone.
        """
        wanted = "projector" in self.experiment.evaluation.layers
        return ["", PROJECTOR] if wanted and run in self.experiment.runs else [""]

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
        return [
            self._row(point) if point.run in self.experiment.runs else self._brought_row(point)
            for point in self.points
        ]

    def _brought_row(self, point: Point) -> dict[str, Any]:
        """Of what was trained elsewhere: it has no recipe."""
        files = self.experiment.files.get(point.run)
        run = files or self.experiment.checkpoints[point.run]
        return SummaryRow(
            run=point.run,
            seed=point.seed,
            epoch=point.epoch,
            final=point.epoch == self.last_epoch(point.run),
            dataset=None if files else self.dataset_name(point.run),
            recipe=None,
            share=run.share,
            views=files is None and self.experiment.evaluation.views is not None,
            knn=files is None or files.has_val,
            probe="probe" in self.probes_of(point.run),
            probe_cached="probe-cached" in self.probes_of(point.run),
        ).to_spec()

    def _row(self, point: Point) -> dict[str, Any]:
        run = self.run(point.run)
        return SummaryRow(
            run=point.run,
            seed=point.seed,
            epoch=point.epoch,
            final=point.epoch == run.epochs,
            dataset=run.dataset,
            evaluated_on=run.evaluate_on,
            recipe=Recipe(**_recipe(run)),
            start_run=run.start.run if run.start else None,
            start_epoch=run.start.epoch if run.start else None,
            projector=PROJECTOR in self.layers(point.run),
            views=self.experiment.evaluation.views is not None,
            probe="probe" in self.probes,
            probe_cached="probe-cached" in self.probes,
        ).to_spec()

    def figure(self, name: str) -> dict[str, Any]:
        """One figure, its runs written out."""
        return self.experiment.figures[name].to_spec()

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
        own, teacher = self.run(run), teacher_of(self.run(run))
        others = self.backbone_modules(teacher.run) if teacher else ()
        return tuple(dict.fromkeys((*self._modules(own.backbone, own.method), *others)))

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


def teacher_of(run: RunConfig) -> TeacherConfig | None:
    """The encoder that a run learns from."""
    return run.method.teacher if isinstance(run.method, distillation.Config) else None


def _recipe(run: RunConfig) -> dict[str, Any]:
    """The keys of a run that change the trained weights; a teacher does so by its content."""
    keys = {name: getattr(run, name) for name in Recipe.model_fields}
    if teacher_of(run):
        keys["method"] = run.method.model_copy(update={"teacher": None})
    return keys


def _stored_digests(dataset: str, source: ImageSource) -> dict[str, list[str]]:
    """sha256 of every file of a source, per split, in the order in which they are read."""
    from ssl_collapse.images.stored import stored_files  # with its libraries, where it is needed

    try:
        return {
            split: [digest_of(path) for path in stored_files(source.recipe()["kind"], patterns)]
            for split, patterns in source.files().items()
        }
    except (OSError, UserError) as error:
        raise UserError(f"datasets.{dataset}.source: {error}") from None


def _file_digest(key: tuple[str, ...], file: Path) -> str:
    """sha256 of a user's file; UserError names its key in the config where it cannot be read."""
    try:
        return digest_of(file)
    except OSError as error:
        text = f"{'.'.join(key)}: {file} cannot be read: {error.strerror}"
        if key[0] == "runs":
            text += "; `folder`, of the run or under `defaults`, says where files lie"
        raise UserError(text) from None
