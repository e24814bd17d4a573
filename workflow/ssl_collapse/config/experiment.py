"""The whole config: datasets, runs, evaluation, figures, runtime."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ssl_collapse.config.checkpoints import CheckpointRun
from ssl_collapse.config.dataset import Source
from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec, Layer, ProbeConfig, ViewsSpec
from ssl_collapse.config.figures import Figure
from ssl_collapse.config.files import FileRun
from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.config.types import (
    AboveZero,
    Folder,
    FreeText,
    Name,
    NotNegative,
    Pixels,
    Positive,
    RelativeFolder,
    Seed,
    StrictModel,
    Text,
    Triple,
)


class DatasetConfig(StrictModel):
    """A source of images, and the sizes at which they are packed, cropped and evaluated."""

    source: Source
    """Where the images come from: its `kind` and keys."""
    resize: Pixels | None = None
    """Shorter side in px when packed and evaluated; null: 256, for textures their own size."""
    crop: Pixels | None = None
    """Width and height in px that the network sees; null: 224, for textures `resize`."""
    pack: Literal["resized", "jpeg", "original"] = "resized"
    """Packed with that shorter side as pixels or as JPEG files, or as the files' own bytes."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 90
    """Quality of the JPEG files of `pack: jpeg`."""
    mean: Triple = [0.485, 0.456, 0.406]
    """Subtracted from red, green and blue (of 1)."""
    std: Annotated[list[AboveZero], Field(min_length=3, max_length=3)] = [0.229, 0.224, 0.225]
    """What red, green and blue are divided by."""
    ordering: Folder | None = None
    """File (.npy) of the order in which schedules meet the training images; null: drawn by seed."""

    subset: Folder | None = None
    """File (.npy) of the numbers of the training images to use, of all in order; null: all."""

    def known_train_images(self) -> int | None:
        """Number of training images; None where the config alone does not tell it."""
        return self.source.known_train_images() if self.subset is None else None

    def sizes(self) -> tuple[int, int]:
        """Shorter side and crop in px, with the defaults filled in."""
        return self.source.sizes(self.resize, self.crop)

    def written_sizes(self) -> tuple[int | None, int | None]:
        """The sizes where the config, or a source of a size of its own, says them; else None."""
        said = self.resize or self.crop or not self.source.users_own
        return self.sizes() if said else (None, None)

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        resize, crop = self.sizes()
        if crop > resize:
            raise ValueError(f"crop {crop} is larger than resize {resize}")
        return self


class StartConfig(StrictModel):
    """The checkpoint that a hybrid run starts from."""

    run: str
    """The run whose checkpoint is taken, seed by seed."""
    epoch: Positive
    """Finished epochs of that checkpoint."""


class RunConfig(Recipe):
    """One run: a recipe on a dataset, for several seeds, with the epochs to analyse.

    The defaults are those of SimSiam; where another method has its own, its keys tell them.
    """

    dataset: str
    """A name under `datasets`."""
    evaluate_on: str | None = None
    """A name under `datasets` whose images are measured; null: `dataset`."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    """One training for each: weights, batches, crops and ordering."""
    analyze: Annotated[list[Literal["last"] | NotNegative], Field(min_length=1)] = ["last"]
    """Finished epochs to take representations of; 0: the network before training."""
    start: StartConfig | None = None
    """The checkpoint of another run to start from; null: from scratch."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"a seed appears twice in {seeds}")
        return seeds

    @model_validator(mode="after")
    def _checkpoints_exist(self) -> Self:
        first = self.start.epoch if self.start else 0
        if first >= self.epochs:
            raise ValueError(f"start.epoch {first} must be below epochs {self.epochs}")
        for epoch in self.analyzed_epochs():
            if not self.has_checkpoint(epoch):
                raise ValueError(
                    f"analyze asks for epoch {epoch}, but checkpoints exist "
                    f"{self.describe_checkpoints()}"
                )
        return self

    def analyzed_epochs(self) -> list[int]:
        """The epochs to analyse as numbers, in order."""
        return sorted({self.epochs if epoch == "last" else epoch for epoch in self.analyze})

    def has_checkpoint(self, epoch: int) -> bool:
        """Whether training leaves a checkpoint after this epoch; 0 is the network before it."""
        if epoch == 0:
            return self.start is None
        first = self.start.epoch if self.start else 0
        kept = epoch % self.checkpoint_every == 0 or epoch == self.epochs
        return first < epoch <= self.epochs and kept

    def describe_checkpoints(self) -> str:
        """For messages: which epochs have checkpoints."""
        first = f"after {self.start.epoch}" if self.start else "from 0 on"
        return f"every {self.checkpoint_every} epochs {first} and at {self.epochs}"


class EvaluationConfig(StrictModel):
    """What is measured on the representations."""

    layers: Annotated[list[Layer], Field(min_length=1)] = ["backbone"]
    """Whose representations are taken: `backbone`, and `projector` where the method has one."""
    collapse: CollapseSpec = CollapseSpec()
    """Settings of the label-free measures."""
    knn: KnnSpec = KnnSpec()
    """The k-NN protocol."""
    probe: ProbeConfig | None = None
    """The linear probe; null: none."""
    views: ViewsSpec | None = None
    """Measures of several views per image (LiDAR, alignment); null: none."""

    @field_validator("layers")
    @classmethod
    def _with_the_backbone(cls, layers: list[Layer]) -> list[Layer]:
        if "backbone" not in layers or len(set(layers)) < len(layers):
            raise ValueError(f"{layers} must hold `backbone`, and each layer once")
        return layers


class RuntimeConfig(StrictModel):
    """What changes the speed and never a result: no rule reruns because of it."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where trainings and measurements compute; `auto`: on a GPU where there is one."""
    gpus: Positive = 1
    """GPUs of one training."""
    threads: Positive = 1
    """Cores of one represent, knn or collapse job."""
    workers: Annotated[int, Field(ge=0, le=1000)] = 0
    """Processes that load images, per job; 0: the job itself."""
    extract_batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Images per batch when representations are taken on a GPU."""
    log_every: Positive = 100
    """Steps from one log line to the next."""
    save_minutes: Annotated[float, Field(gt=0, le=100_000)] = 10.0
    """Minutes between two saves of an unfinished training or probe; also saved at every epoch."""
    scratch: Folder | None = None
    """Folder on the node's own disk for copies of packed images; null: read in place."""
    store: Folder | Literal[False] | None = None
    """Folder of finished results, taken and not computed again; off: none; null: in `results`."""
    store_trust: Literal["own", "everyone"] = "own"
    """Whose results are taken from the store; of others only formats that cannot run code."""
    tensorboard: Folder | None = None
    """Folder for TensorBoard event files of trainings; null: none."""
    mlflow: Text | None = None
    """Where MLflow keeps curves of trainings: a URI such as sqlite:///mlflow.db; null: none."""
    wandb: Text | None = None
    """Project of Weights & Biases for the curves of trainings; null: none."""

    @model_validator(mode="after")
    def _gpus_are_gpus(self) -> Self:
        if self.gpus > 1 and self.device == "cpu":
            raise ValueError(f"gpus is {self.gpus}, but device is cpu; set device to auto or cuda")
        return self


class Experiment(StrictModel):
    """A validated experiment with its sweeps expanded."""

    title: Text = "Collapse of self-supervised encoders"
    """Heading of the report."""
    description: FreeText = ""
    """What the report says of the experiment."""
    datasets: dict[Name, DatasetConfig] = {}
    """Images, by a name of your choice."""
    runs: dict[Name, RunConfig] = {}
    """Trainings, by a name of your choice."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What is measured on the representations."""
    figures: dict[Name, Figure] = {}
    """Figures, by a name of your choice; or `paper`: all of the paper's that the runs allow."""
    runtime: RuntimeConfig = RuntimeConfig()
    """What changes the speed and never a result."""
    results: RelativeFolder = "results"
    """Folder of all results, from where Snakemake runs; part of no result."""
    sweeps: dict[str, list[str]] = {}
    """Filled in when the config is read: a run as it was written -> the runs that it stands for."""
    files: dict[Name, FileRun] = {}
    """Filled in when the config is read: the runs that are files."""

    checkpoints: dict[Name, CheckpointRun] = {}
    """Filled in when the config is read: the runs that are checkpoints."""

    def all_runs(self) -> list[str]:
        """The names of all runs: trainings, then checkpoints, then files."""
        return [*self.runs, *self.checkpoints, *self.files]
