"""Config of Barlow Twins."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ssl_collapse.config.method import LARS_RECIPE, MethodConfig
from ssl_collapse.config.types import Width


class Config(MethodConfig):
    """Barlow Twins (Zbontar et al. 2021): the views' cross-correlation becomes the identity."""

    # Both of the authors' rates end at a thousandth.
    recipe: ClassVar[dict[str, Any]] = {
        **LARS_RECIPE,
        "base_lr": 0.2,
        "base_lr_1d": 0.0048,
        "final_lr": 2e-4,
    }

    name: Literal["barlow_twins"] = "barlow_twins"
    """`barlow_twins`: redundancy reduction, without negatives or a second network."""
    projection_dim: Width = 8192
    """Width of the projector's three layers."""
    off_diagonal_weight: Annotated[float, Field(ge=0)] = 0.0051
    """Weight of the correlations between different dimensions."""
