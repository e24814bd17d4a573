"""Config of the torchvision ResNets."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import Positive, StrictModel


class Config(StrictModel):
    """A torchvision ResNet; the optional keys give the variants that the paper studies."""

    arch: Literal["resnet18", "resnet34", "resnet50"]
    small_image_stem: bool = False  # 3x3 convolution, no max-pooling: for images of 32 to 64 px
    block: Literal["basic", "bottleneck"] | None = None  # null: the architecture's own
    blocks: Annotated[list[Positive], Field(min_length=4, max_length=4)] | None = None
    width_per_group: Positive = 64  # other widths need bottleneck blocks

    @model_validator(mode="after")
    def _width_needs_bottleneck(self) -> Self:
        basic = self.block == "basic" or (self.block is None and self.arch != "resnet50")
        if basic and self.width_per_group != 64:
            raise ValueError(
                f"width_per_group {self.width_per_group} needs `block: bottleneck`; "
                "basic blocks only come with 64"
            )
        return self
