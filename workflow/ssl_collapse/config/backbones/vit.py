"""Config of the vision transformers with fixed positions."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import Blocks, StrictModel

PATCH = 16  # px


class Config(StrictModel):
    """A ViT of 16 px patches with fixed 2-D sin-cos positions, as MoCo v3 trains it.

    The positions follow the images: any crop of whole patches is taken.
    """

    arch: Literal["vit_small", "vit_base"]
    """`vit_small`: width 384; `vit_base`: width 768."""
    depth: Blocks = 12
    """Blocks."""
    heads: Annotated[int, Field(ge=1, le=384)] | None = None
    """Heads of the attention; null: 12, and 6 for a `vit_small` of fewer than 12 blocks."""
    freeze_patch_embed: bool = False
    """Whether the projection of the patches stays as it was drawn."""
    pooling: Literal["token", "patch_mean"] = "token"
    """Representation: class `token`, or `patch_mean`, the mean of all others; normalised."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        width = 384 if self.arch == "vit_small" else 768
        if self.heads is not None and width % self.heads:
            raise ValueError(f"heads {self.heads} does not divide the width {width}")
        return self
