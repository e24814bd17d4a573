"""Config of the torchvision ResNets."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import Blocks, StrictModel


class Config(StrictModel):
    """A torchvision ResNet; the optional keys give the variants that the paper studies."""

    arch: Literal["resnet18", "resnet34", "resnet50"]
    """The torchvision network."""
    small_image_stem: bool = False
    """3x3 first convolution and no max-pooling: for images of 32 to 64 px."""
    block: Literal["basic", "bottleneck"] | None = None
    """Kind of the residual blocks; null: the architecture's own."""
    blocks: Annotated[list[Blocks], Field(min_length=4, max_length=4)] | None = None
    """Blocks of each of the four stages; null: the architecture's own."""
    width_per_group: Annotated[int, Field(ge=1, le=2048)] = 64
    """Width of bottleneck blocks; other than 64 only with them."""

    @model_validator(mode="after")
    def _width_needs_bottleneck(self) -> Self:
        basic = self.block == "basic" or (self.block is None and self.arch != "resnet50")
        if basic and self.width_per_group != 64:
            raise ValueError(
                f"width_per_group {self.width_per_group} needs `block: bottleneck`; "
                "basic blocks only come with 64"
            )
        return self
