"""The recipe of one pretraining: every key that changes the trained weights."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ssl_collapse.config.families import Backbone, Method, default_method, method_recipe
from ssl_collapse.config.types import (
    AboveZero,
    Epochs,
    Fraction,
    Neutral,
    NotNegative,
    Percent,
    Positive,
    Probability,
    Seed,
    Steps,
    StrictModel,
    Triple,
    is_from_spec,
    merge,
)

Schedule = Literal["iid", "current", "accumulate", "last"]


Strength = Annotated[float, Field(ge=0, le=100)]
Sigma = Annotated[float, Field(le=100)]


class ViewAugmentation(StrictModel):
    """How one view is made; crop size and normalisation come with the dataset."""

    min_scale: Fraction = 0.2
    """Smallest part of the image's area that a random crop takes."""
    jitter_probability: Probability = 0.8
    """Probability that colours are changed at all."""
    brightness: Strength = 0.4
    """Largest relative change of brightness."""
    contrast: Strength = 0.4
    """Largest relative change of contrast."""
    saturation: Strength = 0.4
    """Largest relative change of saturation."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Largest turn of the hue, as a part of the full circle."""
    grayscale_probability: Probability = 0.2
    """Probability that a view loses its colours."""
    blur_probability: Probability = 0.5
    """Probability of a Gaussian blur."""
    blur_sigma: Annotated[list[Sigma], Field(min_length=2, max_length=2)] = [0.1, 2.0]
    """Lowest and highest standard deviation of the blur in px."""
    flip_probability: Probability = 0.5
    """Probability of a horizontal flip."""
    solarize_probability: Annotated[Probability, Neutral(0)] = 0.0
    """Probability that what is brighter than half is inverted."""

    @model_validator(mode="after")
    def _range_of_blur(self) -> Self:
        low, high = self.blur_sigma
        if not 0 < low <= high:
            raise ValueError(f"blur_sigma {self.blur_sigma} must be [lowest, highest], above 0")
        return self


class Augmentation(ViewAugmentation):
    """The augmentation of all views, SimSiam's; `views` says where a view has its own."""

    views: Annotated[
        Annotated[list[ViewAugmentation], Field(min_length=1, max_length=100)] | None, Neutral(None)
    ] = None
    """One entry for each view with the keys it has of its own, `{}` for none; null: two views."""

    @field_validator("views")
    @classmethod
    def _shared_keys(
        cls, views: list[ViewAugmentation] | None, info: ValidationInfo
    ) -> list[ViewAugmentation] | None:
        def complete(view: ViewAugmentation) -> ViewAugmentation:
            shared = {k: v for k, v in info.data.items() if k not in view.model_fields_set}
            return view.model_copy(update=shared)

        return views and [complete(view) for view in views]

    @property
    def of_views(self) -> Sequence[ViewAugmentation]:
        """The augmentation of each view."""
        return self.views or (self, self)


class Recipe(StrictModel):
    """Method, backbone, optimisation and data schedule, with the reference's defaults."""

    method: Method = Field(default_factory=default_method)
    """What is trained: its `name` and keys."""
    backbone: Backbone
    """The network: its `arch` and keys."""
    augmentation: Augmentation = Augmentation()
    """How the views of an image are made."""

    epochs: Epochs = 100
    """Length of the training in epochs."""
    batch_size: Annotated[int, Field(ge=2, le=1_000_000)] = 256
    """Images per step, over all GPUs."""
    steps_per_epoch: Steps | None = None
    """Steps of every epoch, whatever the schedule; null: training images // batch_size."""

    optimizer: Literal["sgd", "adamw", "lars_excluding_1d"] = "sgd"
    """What takes the steps; LARS neither adapts nor decays biases and norms, which are 1-D."""
    base_lr: AboveZero = 0.05
    """The learning rate is base_lr * batch_size / 256."""
    base_lr_1d: Annotated[AboveZero | None, Neutral(None)] = None
    """For LARS, the base_lr of biases and norms; null: that of the weights."""
    final_lr: Annotated[float, Field(ge=0)] = 0.0
    """Where the half cosine ends; scaled by the batch as base_lr is."""
    warmup_epochs: NotNegative = 0
    """Epochs in which the learning rate rises, before the half cosine."""
    lr_schedule: Annotated[Literal["epoch", "step"], Neutral("epoch")] = "epoch"
    """Whether the learning rate is set once per epoch or at every step."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of the optimiser."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Weight decay of the optimiser."""
    final_weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Neutral(None)] = None
    """Where the weight decay ends, on a half cosine over all steps; null: it stays."""
    fix_pred_lr: bool = False
    """Whether the predictor keeps the initial learning rate, after its warm-up."""

    schedule: Schedule = "iid"
    """What an epoch shows: all images, the `current` chunk, all chunks so far, the `last` part."""
    share: Percent | None = None
    """Percent of the training images; means `schedule: last`."""
    chunk_size: Positive | None = None
    """Epochs per chunk of the ordering, for `current`, `accumulate` and `last`; null: 1."""
    n_rounds: Positive = 1
    """How often the schedule goes through the ordering."""
    repeat_batch: Steps = 1
    """How many times in a row each batch is shown."""
    n_warmup_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """First steps of every epoch but the first in which the encoder's rate is 0."""
    checkpoint_every: Positive = 1
    """Epochs from one checkpoint to the next; the last epoch always has one."""

    precision: Annotated[Literal["float32", "tf32", "bf16"], Neutral("float32")] = "float32"
    """`float32` (a GPU convolves in TF32), `tf32` (products too), `bf16`: autocast, CPUs too."""
    cpu_threads: Annotated[int, Field(ge=1, le=1024), Neutral(1)] = 1
    """Threads of each operation on the CPU, on which the last bits of a training depend."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_method_has_it(cls, values: Any, info: ValidationInfo) -> Any:
        """Lay the method's own recipe under the keys that are given; a spec holds them all."""
        if not isinstance(values, dict) or is_from_spec(info):
            return values
        recipe, given = method_recipe(values.get("method")), values.get("augmentation")
        merged = merge(recipe, values)
        views = recipe.get("augmentation", {}).get("views")
        if views and isinstance(given, dict) and "views" not in given:
            # what is said of all views holds for all
            own = [{k: v for k, v in view.items() if k not in given} for view in views]
            merged["augmentation"]["views"] = own
        return merged

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
                f"warmup_epochs {self.warmup_epochs} must be below epochs {self.epochs}; "
                "set it lower"
            )
        if self.base_lr_1d is not None and self.optimizer != "lars_excluding_1d":
            raise ValueError(
                "`base_lr_1d` goes with `optimizer: lars_excluding_1d` alone; set it to null"
            )
        if len(self.augmentation.of_views) < self.method.fewest_views:
            raise ValueError(
                f"augmentation.views has 1 entry, and {self.method.name} needs "
                f"{self.method.fewest_views}"
            )
        self.method.check(self)
        return self


class PretrainSpec(Recipe):
    """What the `pretrain` stage is given: the recipe of one seed, resolved against its dataset."""

    seed: Seed
    """Of the weights, batches, crops and colours."""
    crop: Positive
    """Width and height in px that the network sees."""
    mean: Triple
    """Subtracted from red, green and blue (of 1)."""
    std: Triple
    """What red, green and blue are divided by."""
    start_epoch: NotNegative = 0
    """Epochs that the checkpoint of a hybrid's start has already done."""
