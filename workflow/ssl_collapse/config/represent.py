"""How images are prepared for the encoder when representations are taken."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ssl_collapse.config.base import StrictModel

Positive = Annotated[int, Field(ge=1)]


class RepresentSpec(StrictModel):
    """Resize(resize)-CenterCrop(crop)-normalise, for train and val alike."""

    resize: Positive  # px, shorter side
    crop: Positive  # px
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    std: Annotated[list[float], Field(min_length=3, max_length=3)]

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop > self.resize:
            raise ValueError(f"crop {self.crop} is larger than resize {self.resize}")
        return self
