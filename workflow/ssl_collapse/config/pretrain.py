"""The recipe of one pretraining: every key that changes the trained weights."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.families import Backbone, Method, default_method
from ssl_collapse.config.types import NotNegative, Positive, Probability, StrictModel

Schedule = Literal["iid", "current", "accumulate", "last"]


class Augmentation(StrictModel):
    """The SimSiam augmentation; crop size and normalisation come with the dataset."""

    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.2
    jitter_probability: Probability = 0.8
    brightness: Annotated[float, Field(ge=0)] = 0.4
    contrast: Annotated[float, Field(ge=0)] = 0.4
    saturation: Annotated[float, Field(ge=0)] = 0.4
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    grayscale_probability: Probability = 0.2
    blur_probability: Probability = 0.5
    blur_sigma: Annotated[list[float], Field(min_length=2, max_length=2)] = [0.1, 2.0]
    flip_probability: Probability = 0.5

    @model_validator(mode="after")
    def _range_of_blur(self) -> Self:
        low, high = self.blur_sigma
        if not 0 < low <= high:
            raise ValueError(f"blur_sigma {self.blur_sigma} must be [lowest, highest], above 0")
        return self


class Recipe(StrictModel):
    """Method, backbone, optimisation and data schedule, with the reference's defaults."""

    method: Method = Field(default_factory=default_method)
    backbone: Backbone
    augmentation: Augmentation = Augmentation()

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 100
    batch_size: Annotated[int, Field(ge=2)] = 256
    steps_per_epoch: Positive | None = None  # null: training images // batch_size

    optimizer: Literal["sgd", "adamw"] = "sgd"
    base_lr: Annotated[float, Field(gt=0)] = 0.05  # the learning rate is base_lr * batch_size / 256
    final_lr: Annotated[float, Field(ge=0)] = 0.0  # where the cosine ends; scaled as base_lr
    warmup_epochs: NotNegative = 0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    fix_pred_lr: bool = False  # after its warm-up the predictor keeps the initial rate

    schedule: Schedule = "iid"
    share: Annotated[float, Field(gt=0, le=100)] | None = None  # percent of the data, for `last`
    chunk_size: Positive | None = None  # epochs per chunk (current, accumulate, last)
    n_rounds: Positive = 1
    repeat_batch: Positive = 1
    n_warmup_steps: NotNegative = 0  # first steps with encoder lr 0, not in epoch 0
    checkpoint_every: Positive = 1

    @model_validator(mode="before")
    @classmethod
    def _share_means_last(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("share") is not None:
            return {"schedule": "last", **values}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.share is not None and self.schedule != "last":
            raise ValueError(f"`share` goes with `schedule: last`, not with `{self.schedule}`")
        if self.share is not None and self.chunk_size is not None:
            raise ValueError("`share` and `chunk_size` say the same thing; give one of them")
        if self.schedule == "last" and self.share is None and self.chunk_size is None:
            raise ValueError("`schedule: last` needs `share` (percent) or `chunk_size` (epochs)")
        if self.schedule == "iid" and (self.chunk_size is not None or self.n_rounds != 1):
            raise ValueError("`chunk_size` and `n_rounds` have no meaning for `schedule: iid`")
        if self.schedule == "iid" and (self.steps_per_epoch is not None or self.repeat_batch != 1):
            raise ValueError(
                "`steps_per_epoch` and `repeat_batch` have no meaning for `schedule: iid`, which "
                "shows every image once per epoch; `share: 100` shows all images in any steps"
            )
        if self.n_rounds > self.epochs:
            raise ValueError(f"n_rounds {self.n_rounds} exceeds epochs {self.epochs}")
        if self.chunk_size is not None and self.chunk_size > self.epochs // self.n_rounds:
            raise ValueError(
                f"chunk_size {self.chunk_size} exceeds the epochs of one round, "
                f"epochs // n_rounds = {self.epochs // self.n_rounds}"
            )
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} must be below epochs {self.epochs}"
            )
        return self


class PretrainSpec(Recipe):
    """What the `pretrain` stage is given: the recipe of one seed, resolved against its dataset."""

    seed: NotNegative
    crop: Positive  # px
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    std: Annotated[list[float], Field(min_length=3, max_length=3)]
    start_epoch: NotNegative = 0  # epochs already done by the checkpoint that a hybrid starts from
