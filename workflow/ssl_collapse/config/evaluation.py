"""What is measured on the encoders, and how: representations, k-NN, collapse, linear probe."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ssl_collapse.config.pretrain import Augmentation
from ssl_collapse.config.types import (
    AboveZero,
    Epochs,
    Fraction,
    Interpolation,
    Neutral,
    Probability,
    Seed,
    StrictModel,
    Triple,
)

Pixel = Annotated[int, Field(ge=1, le=10_000)]


class RepresentSpec(StrictModel):
    """Resize(resize)-CenterCrop(crop)-normalise, for train and val alike."""

    resize: Pixel
    """Shorter side in px."""
    crop: Pixel
    """Width and height in px that the network sees."""
    mean: Triple
    """Subtracted from red, green and blue (of 1)."""
    std: Triple
    """What red, green and blue are divided by."""
    interpolation: Annotated[Interpolation, Neutral("bilinear")] = "bilinear"
    """How images are resized that were not packed at that size."""

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop > self.resize:
            raise ValueError(f"crop {self.crop} is larger than resize {self.resize}")
        return self


Metric = Literal["cosine", "l2"]
Vote = Literal["majority", "weighted"]


class KnnSpec(StrictModel):
    """The k-NN protocol: every k up to `k_max`, for each metric and each vote."""

    k_max: Annotated[int, Field(ge=1, le=100_000)] = 200
    """The largest number of neighbours that vote."""
    temperature: AboveZero = 0.07
    """T of the weighted vote exp(similarity / T)."""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, strict=False)] = ("cosine", "l2")
    """What near means: `cosine` similarity, or Euclidean distance `l2`."""
    votes: Annotated[tuple[Vote, ...], Field(min_length=1, strict=False)] = ("majority", "weighted")
    """How neighbours vote: one vote each (`majority`), or by similarity (`weighted`)."""

    neighbors: Annotated[bool, Neutral(False)] = False
    """Whether the neighbours found and their distances are kept, in `neighbors.h5`."""

    @field_validator("metrics", "votes")
    @classmethod
    def _distinct(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{twice[0]!r} appears twice; name it once")
        return values


class CollapseSpec(StrictModel):
    """Settings of the label-free measures; AUC itself has none."""

    bootstrap_resamples: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Resamples for the interval of AUC; 0 switches it off."""
    alpha_first_rank: Annotated[int, Field(ge=1, le=1_000_000)] = 11
    """First rank of the spectrum that the power law of `alpha` is fitted to."""
    alpha_last_rank: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    """Last rank of the spectrum that the power law of `alpha` is fitted to."""
    uniformity_samples: Annotated[int, Field(ge=2, le=20_000)] = 2048
    """Rows drawn at random for uniformity, the other measures of pairs, and the interval."""
    seed: Seed = 0
    """Of the resamples, the rows drawn and all else that is random."""
    std_vector: Annotated[bool, Neutral(False)] = False
    """Whether `collapse.json` also holds the standard deviation of every dimension."""

    @model_validator(mode="after")
    def _ranks_in_order(self) -> Self:
        if self.alpha_last_rank <= self.alpha_first_rank:
            raise ValueError(
                f"alpha_last_rank ({self.alpha_last_rank}) must be larger than "
                f"alpha_first_rank ({self.alpha_first_rank})"
            )
        return self


Layer = Literal["backbone", "projector"]


class ViewsSpec(StrictModel):
    """How many views of how many training images are compared; an empty section: as here."""

    images: Annotated[int, Field(ge=2, le=100_000)] = 1000
    """Training images drawn at random, or all, if there are fewer."""
    views: Annotated[int, Field(ge=2, le=100)] = 10
    """Views of each, made as in training; of unlike views, each as often."""
    delta: AboveZero = 1e-4
    """What LiDAR adds to the diagonal of the covariance within images."""
    seed: Seed = 0
    """Of the images and their views."""


class ViewMeasuresSpec(ViewsSpec):
    """With the run's augmentation, and the sizes and the normalisation of its dataset."""

    augmentation: Augmentation
    """How views are made."""
    crop: Pixel
    """Width and height in px that the network sees."""
    mean: Triple
    """Subtracted from red, green and blue (of 1)."""
    std: Triple
    """What red, green and blue are divided by."""


class ProbeSpec(StrictModel):
    """A linear classifier on a frozen backbone, with the reference's defaults."""

    mode: Literal["full", "cached"] = "full"
    """`full`: on augmented images, as is usual; `cached`: on representations, in seconds."""
    optimizer: Literal["sgd", "lars"] = "sgd"
    """Plain SGD, or LARS as the reference has it."""
    base_lr: AboveZero = 0.1
    """The learning rate is base_lr * batch_size / 256."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of the optimiser."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay of the optimiser."""
    epochs: Epochs = 90
    """Passes over the training images."""
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Images per step; at most the training images there are."""
    min_scale: Fraction = 0.08
    """Smallest part of the image's area that a random crop takes; `full` only."""
    flip_probability: Probability = 0.5
    """Probability of a horizontal flip; `full` only."""
    seed: Seed = 0
    """Of the classifier's start, the batches and the crops."""
    train_accuracy: Annotated[bool, Neutral(False)] = False
    """Whether `probe.json` also holds the accuracy on the training batches of every epoch."""
    classifier: Annotated[bool, Neutral(False)] = False
    """Whether the trained classifier is kept, in `probe.safetensors`."""


class ProbeConfig(ProbeSpec):
    """The keys of one probe; or, for both side by side, `cached` and `full` with those keys."""

    cached: ProbeSpec | None = None
    """The keys of the probe on representations, beside `full`."""
    full: ProbeSpec | None = None
    """The keys of the probe on augmented images, beside `cached`."""

    @model_validator(mode="after")
    def _one_or_both(self) -> Self:
        if self.cached is None and self.full is None:
            return self
        if self.cached is None or self.full is None:
            raise ValueError("give both `cached` and `full`, or `mode` and the keys of one")
        if beside := sorted(self.model_fields_set - {"cached", "full"}):
            raise ValueError(f"`{beside[0]}` belongs under `cached` or `full`, or under both")
        for mode, probe in (("cached", self.cached), ("full", self.full)):
            if "mode" in probe.model_fields_set and probe.mode != mode:
                raise ValueError(f"{mode}.mode is {probe.mode!r}; leave it out")
        if self.cached.classifier != self.full.classifier:
            raise ValueError("`classifier` must be the same for `cached` and `full`")
        return self

    def probes(self) -> dict[str, ProbeSpec]:
        """Each probe under the name of its result: `probe`, and beside full `probe-cached`."""
        if self.cached is None or self.full is None:
            return {
                "probe": ProbeSpec(**{key: getattr(self, key) for key in ProbeSpec.model_fields})
            }
        cached = self.cached.model_copy(update={"mode": "cached"})
        return {"probe": self.full.model_copy(update={"mode": "full"}), "probe-cached": cached}


class FullProbeSpec(ProbeSpec, RepresentSpec):
    """A probe on images: with the sizes and the normalisation of their dataset."""

    resize: Pixel = 256
    """Shorter side in px."""
    crop: Pixel = 224
    """Width and height in px that the network sees."""
    mean: Triple = [0.485, 0.456, 0.406]
    """Subtracted from red, green and blue (of 1)."""
    std: Triple = [0.229, 0.224, 0.225]
    """What red, green and blue are divided by."""
