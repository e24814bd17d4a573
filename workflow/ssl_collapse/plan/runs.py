"""The runs of an experiment: their points, their datasets, and the files that they name."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ssl_collapse.config.dataset import ImageSource
from ssl_collapse.config.experiment import DatasetConfig, Experiment, RunConfig
from ssl_collapse.config.figures import SpectraFigure
from ssl_collapse.config.methods import distillation
from ssl_collapse.config.methods.distillation import TeacherConfig
from ssl_collapse.config.paths import PROJECTOR
from ssl_collapse.plan.checkpoints import analyzed_epochs, files_of
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


class Runs:
    """What the runs are, with the digests of the files that they and their datasets name."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.ordering_digests = self._digests("ordering")
        self.subset_digests = self._digests("subset")
        self.stored_digests = {
            name: _stored_digests(name, config.source)
            for name, config in experiment.datasets.items()
            if config.source.files()
        }
        self.file_digests = {
            (name, key, split): file_digest(("runs", name, key, *filter(None, [split])), path)
            for name, run in experiment.files.items()
            for key, split in FILES
            if (path := run.path(key, split)) is not None
        }
        self._epoch_files = {n: files_of(run) for n, run in experiment.checkpoints.items()}

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
        other = None if run in self.experiment.checkpoints else self.run(run).evaluate_on
        return other or self.dataset_name(run)

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
            return max(self._epoch_files[run])
        runs = self.experiment.runs
        return runs[run].epochs if run in runs else FILE_EPOCH

    def file(self, run: str, key: str, split: str = "") -> str:
        """Where a file of a run of files lies; "" where there is none."""
        path = self.experiment.files[run].path(key, split)
        return "" if path is None else str(path)

    def checkpoint(self, run: str, epoch: int) -> Path:
        """The file that an epoch of a run of checkpoints is in; of epoch 0, the last one."""
        files = self._epoch_files[run]
        return files.get(epoch) or files[max(files)]

    def teacher(self, run: str, seed: int) -> Point | None:
        """Whose encoder a student learns from; a run of checkpoints has the seed 0 alone."""
        teacher = teacher_of(self.run(run))
        if teacher is None:
            return None
        usual = 0 if teacher.run in self.experiment.checkpoints else seed
        return Point(teacher.run, usual if teacher.seed is None else teacher.seed, teacher.epoch)

    def layers(self, run: str) -> list[str]:
        """The folders of the layers whose representations are taken, the backbone's being "".

        A run that was trained elsewhere has the backbone's alone.
        """
        wanted = "projector" in self.experiment.evaluation.layers
        return ["", PROJECTOR] if wanted and run in self.experiment.runs else [""]

    def used_datasets(self) -> list[str]:
        """The datasets of all runs."""
        experiment = self.experiment
        runs = [*experiment.runs, *experiment.checkpoints]
        return sorted(
            {dataset(run) for run in runs for dataset in (self.dataset_name, self.evaluated_on)}
        )

    def users_datasets(self) -> list[str]:
        """Those of them whose images are a user's own, and not generated."""
        datasets = self.experiment.datasets
        return [n for n in self.used_datasets() if datasets[n].source.users_own]

    def made_by(self, rule: str) -> list[str]:
        """The datasets whose images a rule makes."""
        sources = ((n, self.experiment.datasets[n].source) for n in self.used_datasets())
        return [name for name, source in sources if not source.users_own and source.made_by == rule]

    def figure_points(self, name: str) -> list[Point]:
        """The points whose spectra a figure reads."""
        figure = self.experiment.figures[name]
        if not isinstance(figure, SpectraFigure):
            return []
        by_run: dict[str, list[Point]] = {plotted.name: [] for plotted in figure.runs}
        last = figure.epoch == "last"
        epochs = {run: self.last_epoch(run) if last else figure.epoch for run in by_run}
        for point in self.points:  # epoch 0 is the baseline of every figure
            if point.run in by_run and point.epoch in (0, epochs[point.run]):
                by_run[point.run].append(point)
        return [point for points in by_run.values() for point in points]

    def figure_trainings(self, name: str) -> list[Point]:
        """One point of each training whose training.csv a figure reads."""
        figure = self.experiment.figures[name]
        if figure.kind != "curves":
            return []
        wanted = {plotted.name for plotted in figure.runs}
        return list({(p.run, p.seed): p for p in self.points if p.run in wanted}.values())

    def folders(self, dataset: str, generated: str) -> dict[str, str]:
        """Where the images lie: `root`, or `train` and `val`."""
        return self.experiment.datasets[dataset].source.folders(generated)

    def all_folders(self, data: str) -> str:
        """JSON of where the images of every dataset lie; those that are generated under `data`."""
        datasets = self.experiment.datasets
        return json.dumps({name: self.folders(name, f"{data}/{name}/images") for name in datasets})

    def all_sources(self) -> str:
        """JSON of the sources of the datasets that `unpack` makes, with where their files lie."""
        datasets = self.experiment.datasets
        return json.dumps({n: datasets[n].source.to_spec() for n in self.made_by("unpack")})

    def all_files(self, key: str) -> str:
        """JSON of the files that datasets name under `key`, "ordering" or "subset", by dataset."""
        return json.dumps({name: str(path) for name, path in self._files(key).items()})

    def subset(self, dataset: str) -> Path | None:
        """The file of the numbers of the training images to use."""
        return self._files("subset").get(dataset)

    def _digests(self, key: str) -> dict[str, str]:
        """sha256 of the files that datasets name under `key`, by dataset."""
        files = self._files(key).items()
        return {name: file_digest(("datasets", name, key), path) for name, path in files}

    def _files(self, key: str) -> dict[str, Path]:
        paths = {n: getattr(dataset, key) for n, dataset in self.experiment.datasets.items()}
        return {name: Path(path).expanduser() for name, path in paths.items() if path}


def teacher_of(run: RunConfig) -> TeacherConfig | None:
    """The encoder that a run learns from."""
    return run.method.teacher if isinstance(run.method, distillation.Config) else None


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


def file_digest(key: tuple[str, ...], file: Path) -> str:
    """sha256 of a user's file; UserError names its key in the config where it cannot be read."""
    try:
        return digest_of(file)
    except OSError as error:
        text = f"{'.'.join(key)}: {file} cannot be read: {error.strerror}"
        if key[0] == "runs":
            text += "; `folder`, of the run or under `defaults`, says where files lie"
        raise UserError(text) from None
