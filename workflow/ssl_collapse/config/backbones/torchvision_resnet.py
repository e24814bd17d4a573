"""Config of the torchvision ResNets."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import Blocks, Neutral, StrictModel


class Config(StrictModel):
    """A torchvision ResNet; the optional keys give the variants that the paper studies.

    Representations are the average over the last map (`avgpool`).
    """

    arch: Literal[
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "wide_resnet50_2",
        "wide_resnet101_2",
        "resnext50_32x4d",
        "resnext101_32x8d",
        "resnext101_64x4d",
    ]
    """The torchvision network."""
    small_image_stem: bool = False
    """3x3 first convolution and no max-pooling: for images of 32 to 64 px."""
    stem_padding: Annotated[Literal[1, 2], Neutral(1)] = 1
    """Padding of the small stem's convolution; 2: as solo-learn has it."""
    stem_relu: Annotated[bool, Neutral(True)] = True
    """Whether a ReLU follows the first batch norm; false: as in lightly's CIFAR ResNets."""
    block: Literal["basic", "bottleneck"] | None = None
    """Kind of the residual blocks; null: the architecture's own."""
    blocks: Annotated[list[Blocks], Field(min_length=4, max_length=4)] | None = None
    """Blocks of each of the four stages; null: the architecture's own."""
    width_per_group: Annotated[int, Field(ge=1, le=2048)] = 64
    """Width of bottleneck blocks; other than 64 only with them, and not for wide and ResNeXt."""

    @model_validator(mode="after")
    def _width_needs_bottleneck(self) -> Self:
        basic = self.block == "basic" or (
            self.block is None and self.arch in ("resnet18", "resnet34")
        )
        if basic and self.width_per_group != 64:
            raise ValueError(
                f"width_per_group {self.width_per_group} needs `block: bottleneck`; "
                "basic blocks only come with 64"
            )
        if self.arch.startswith(("wide_", "resnext")) and (
            self.block is not None or self.width_per_group != 64
        ):
            raise ValueError(f"{self.arch} has a block and a width of its own; leave them out")
        if self.stem_padding != 1 and not self.small_image_stem:
            raise ValueError("`stem_padding` needs `small_image_stem: true`")
        return self
