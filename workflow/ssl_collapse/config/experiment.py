"""The whole config: datasets, runs, evaluation, figures, runtime."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ssl_collapse.config.dataset import Source
from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec, ProbeSpec
from ssl_collapse.config.figures import Figure
from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.config.types import Name, NotNegative, Positive, Seed, StrictModel, Triple

Scale = Annotated[float, Field(gt=0)]


class DatasetConfig(StrictModel):
    """A source of images, and the sizes at which they are packed, cropped and evaluated."""

    source: Source
    resize: Positive | None = None  # shorter side in px; default 256, for textures their own size
    crop: Positive | None = None  # px that the network sees; default 224, for textures their size
    pack: Literal["resized", "original"] = "resized"  # original: the files' own bytes
    mean: Triple = [0.485, 0.456, 0.406]
    std: Annotated[list[Scale], Field(min_length=3, max_length=3)] = [0.229, 0.224, 0.225]
    ordering: str | None = None  # a permutation of the training images (.npy); null: seeded

    def sizes(self) -> tuple[int, int]:
        """Shorter side and crop in px, with the defaults filled in."""
        return self.source.sizes(self.resize, self.crop)

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        resize, crop = self.sizes()
        if crop > resize:
            raise ValueError(f"crop {crop} is larger than resize {resize}")
        return self


class StartConfig(StrictModel):
    """The checkpoint that a hybrid run starts from."""

    run: str
    epoch: Positive


class RunConfig(Recipe):
    """One run: a recipe on a dataset, for several seeds, with the epochs to analyse."""

    dataset: str
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    analyze: Annotated[list[Literal["last"] | Positive], Field(min_length=1)] = ["last"]
    start: StartConfig | None = None

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
        """Whether training leaves a checkpoint after this epoch."""
        first = self.start.epoch if self.start else 0
        kept = epoch % self.checkpoint_every == 0 or epoch == self.epochs
        return first < epoch <= self.epochs and kept

    def describe_checkpoints(self) -> str:
        """For messages: which epochs have checkpoints."""
        first = self.start.epoch if self.start else 0
        return f"every {self.checkpoint_every} epochs after {first} and at {self.epochs}"


class EvaluationConfig(StrictModel):
    """What is measured on the representations."""

    collapse: CollapseSpec = CollapseSpec()
    knn: KnnSpec = KnnSpec()
    probe: ProbeSpec | None = None  # null: no linear probe


class RuntimeConfig(StrictModel):
    """What changes the speed and never a result: no rule reruns because of it."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus: Positive = 1  # of one training
    threads: Positive = 1  # cores of one represent, knn or collapse job
    workers: NotNegative = 0  # processes that load images, per job; 0: in the job itself
    extract_batch_size: Positive = 256  # images per batch on a GPU
    log_every: Positive = 100  # steps between two log lines
    # Folder on the node's own disk for copies of packed images ($TMPDIR/...); null: read in place.
    scratch: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _gpus_are_gpus(self) -> Self:
        if self.gpus > 1 and self.device == "cpu":
            raise ValueError(f"gpus is {self.gpus}, but device is cpu; set device to auto or cuda")
        return self


class Experiment(StrictModel):
    """A validated experiment with its sweeps expanded."""

    title: str = "Collapse of self-supervised encoders"
    description: str = ""
    datasets: Annotated[dict[Name, DatasetConfig], Field(min_length=1)]
    runs: Annotated[dict[Name, RunConfig], Field(min_length=1)]
    evaluation: EvaluationConfig = EvaluationConfig()
    figures: dict[Name, Figure] = {}
    runtime: RuntimeConfig = RuntimeConfig()
    sweeps: dict[str, list[str]] = {}  # filled in by `load_experiment`: written run -> its runs
