"""Runs whose encoders are checkpoint files: pretraining is skipped, everything else runs."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ssl_collapse.config.families import Backbone
from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.config.types import (
    Folder,
    Interpolation,
    Neutral,
    NotNegative,
    Percent,
    Pixels,
    Seed,
    StrictModel,
    Triple,
)


class PreprocessingConfig(StrictModel):
    """How images are prepared; of what is null, the checkpoint and its source say it."""

    resize: Annotated[Pixels | None, Neutral(None)] = None
    """Shorter side in px."""
    crop: Annotated[Pixels | None, Neutral(None)] = None
    """Width and height in px that the network sees."""
    mean: Annotated[Triple | None, Neutral(None)] = None
    """Subtracted from red, green and blue (of 1)."""
    std: Annotated[Triple | None, Neutral(None)] = None
    """What red, green and blue are divided by."""
    interpolation: Annotated[Interpolation | None, Neutral(None)] = None
    """How images are resized that were not packed at that size."""

    @field_validator("std")
    @classmethod
    def _divides(cls, std: list[float] | None) -> list[float] | None:
        if std is not None and min(std) <= 0:
            raise ValueError(f"std {std} must be above 0")
        return std

    def over(self, under: Self) -> Self:
        """These values; those of `under` where there is none."""
        given = {key: value for key, value in dict(self).items() if value is not None}
        return under.model_copy(update=given)


class CheckpointRun(StrictModel):
    """A run of one or more checkpoint files of a training elsewhere, instead of a recipe."""

    checkpoint: Folder
    """File, or pattern (`runs/*.ckpt`) of files of one training, with their epoch in the name."""
    dataset: str
    """A name under `datasets`."""
    backbone: Backbone | None = None
    """The network, where the file does not say it: its `arch` and keys."""
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    """How images are prepared, where the file does not say it or is to be overruled."""
    analyze: Annotated[list[Literal["last"] | NotNegative], Field(min_length=1)] | None = None
    """Epochs to take representations of; 0: the same network, random; null: all that are found."""
    count_from: Literal[0, 1] = 1
    """What the names of the files call the first epoch."""
    folder: Folder | None = None
    """Folder that `checkpoint` starts from; null: where Snakemake runs."""
    share: Percent | None = None
    """Percent of the training images that the encoder has seen, for tables and figures."""

    @model_validator(mode="before")
    @classmethod
    def _no_training(cls, values: Any) -> Any:
        if isinstance(values, dict):
            recipe = {*Recipe.model_fields, "seeds", "start"} - cls.model_fields.keys()
            if beside := [key for key in values if key in recipe]:
                raise ValueError(
                    f"`checkpoint` is instead of a training, to which {', '.join(beside)} "
                    f"belong{'s' if len(beside) == 1 else ''}; leave one or the other out"
                )
        return values

    @property
    def pattern(self) -> Path:
        """The file or the pattern, from where Snakemake runs."""
        return Path(self.folder or "").expanduser() / Path(self.checkpoint).expanduser()


class ImportEncoderSpec(StrictModel):
    """What the `import_encoder` stage is given."""

    checkpoint: str
    """sha256 of the file."""
    epoch: NotNegative
    """Finished epochs; 0: the file's network before training."""
    seed: Seed = 0
    """Of the weights of epoch 0."""
    backbone: Annotated[Backbone | None, Neutral(None)] = None
    """What the network is; null: what the file says."""
    preprocessing: Annotated[PreprocessingConfig, Neutral({})] = PreprocessingConfig()
    """What was written of it; it goes over what the file says."""
