"""What is measured on the encoders, and how: representations, k-NN, collapse, linear probe."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import NotNegative, Positive, Probability, StrictModel, Triple


class RepresentSpec(StrictModel):
    """Resize(resize)-CenterCrop(crop)-normalise, for train and val alike."""

    resize: Positive  # px, shorter side
    crop: Positive  # px
    mean: Triple
    std: Triple

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop > self.resize:
            raise ValueError(f"crop {self.crop} is larger than resize {self.resize}")
        return self


Metric = Literal["cosine", "l2"]
Vote = Literal["majority", "weighted"]


class KnnSpec(StrictModel):
    """The k-NN protocol: every k up to `k_max`, for each metric and each vote."""

    k_max: Annotated[int, Field(ge=1)] = 200
    temperature: Annotated[float, Field(gt=0, description="T of the vote exp(sim/T)")] = 0.07
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, strict=False)] = ("cosine", "l2")
    votes: Annotated[tuple[Vote, ...], Field(min_length=1, strict=False)] = ("majority", "weighted")


class CollapseSpec(StrictModel):
    """Settings of the label-free measures; AUC itself has none."""

    bootstrap_resamples: Annotated[int, Field(ge=0, description="0 switches it off")] = 100
    alpha_first_rank: Annotated[int, Field(ge=1)] = 11
    alpha_last_rank: Annotated[int, Field(ge=2)] = 100
    uniformity_samples: Annotated[int, Field(ge=2, description="rows drawn at random")] = 2048
    seed: Annotated[int, Field(ge=0, description="of the bootstrap and of uniformity")] = 0

    @model_validator(mode="after")
    def _ranks_in_order(self) -> Self:
        if self.alpha_last_rank <= self.alpha_first_rank:
            raise ValueError(
                f"alpha_last_rank ({self.alpha_last_rank}) must be larger than "
                f"alpha_first_rank ({self.alpha_first_rank})"
            )
        return self


class ProbeSpec(StrictModel):
    """A linear classifier on a frozen backbone, with the reference's defaults."""

    # full: on augmented images, as is usual; cached: on the stored representations, in seconds
    mode: Literal["full", "cached"] = "full"
    optimizer: Literal["sgd", "lars"] = "sgd"
    base_lr: Annotated[float, Field(gt=0)] = 0.1  # the learning rate is base_lr * batch_size / 256
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    epochs: Positive = 90
    batch_size: Positive = 1024  # at most the number of training images
    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.08  # of the random crop; full mode
    flip_probability: Probability = 0.5  # full mode
    seed: NotNegative = 0


class FullProbeSpec(ProbeSpec, RepresentSpec):
    """A probe on images: with the sizes and the normalisation of their dataset."""

    resize: Positive = 256  # px, shorter side
    crop: Positive = 224  # px
    mean: Triple = [0.485, 0.456, 0.406]
    std: Triple = [0.229, 0.224, 0.225]
