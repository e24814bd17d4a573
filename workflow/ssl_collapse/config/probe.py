"""How the linear probe is trained."""

from typing import Annotated, Literal

from pydantic import Field

from ssl_collapse.config.base import StrictModel
from ssl_collapse.config.represent import RepresentSpec

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]


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
    flip_probability: Annotated[float, Field(ge=0, le=1)] = 0.5  # full mode
    seed: NotNegative = 0


class FullProbeSpec(ProbeSpec, RepresentSpec):
    """A probe on images: with the sizes and the normalisation of their dataset."""

    resize: Positive = 256  # px, shorter side
    crop: Positive = 224  # px
    mean: Triple = [0.485, 0.456, 0.406]
    std: Triple = [0.229, 0.224, 0.225]
