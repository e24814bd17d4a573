"""Config of VICReg."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ssl_collapse.config.method import LARS_RECIPE, MethodConfig
from ssl_collapse.config.types import Width

Weight = Annotated[float, Field(ge=0)]


class Config(MethodConfig):
    """VICReg (Bardes et al. 2022): views agree, dimensions vary and do not covary."""

    # The authors' 100 epochs; for 1,000 they have base_lr 0.2. Their cosine ends at a thousandth.
    recipe: ClassVar[dict[str, Any]] = {**LARS_RECIPE, "base_lr": 0.3, "final_lr": 3e-4}

    name: Literal["vicreg"] = "vicreg"
    """`vicreg`: invariance, variance and covariance, without negatives or a second network."""
    projection_dim: Width = 8192
    """Width of the expander's three layers."""
    invariance_weight: Weight = 25.0
    """Weight of the mean squared difference between views."""
    variance_weight: Weight = 25.0
    """Weight of the hinge that holds every dimension's standard deviation at 1."""
    covariance_weight: Weight = 1.0
    """Weight of the squared covariances."""
