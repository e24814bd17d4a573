"""Config of the small ResNet family."""

from typing import Annotated, Literal

from pydantic import Field

from ssl_collapse.config.types import Positive, StrictModel


class Config(StrictModel):
    """A ResNet for toy scales: stage i has `blocks[i]` basic blocks of `width * 2**i` channels."""

    arch: Literal["small_resnet"]
    width: Positive = 16
    blocks: Annotated[list[Positive], Field(min_length=1, max_length=5)] = [1, 1, 1]
    stem_stride: Literal[1, 2] = 2
