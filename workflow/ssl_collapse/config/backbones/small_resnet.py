"""Config of the small ResNet family."""

from typing import Annotated, Literal

from pydantic import Field

from ssl_collapse.config.types import Blocks, StrictModel


class Config(StrictModel):
    """A ResNet for toy scales: stage i has `blocks[i]` basic blocks of `width * 2**i` channels."""

    arch: Literal["small_resnet"]
    """`small_resnet`: for images of up to about 64 px."""
    width: Annotated[int, Field(ge=1, le=1024)] = 16
    """Channels of the first stage."""
    blocks: Annotated[list[Blocks], Field(min_length=1, max_length=5)] = [1, 1, 1]
    """Blocks of each stage."""
    stem_stride: Literal[1, 2] = 2
    """Stride of the first convolution."""
