"""Config of BYOL."""

from typing import Any, ClassVar, Literal

from ssl_collapse.config.method import LARS_RECIPE, MethodConfig
from ssl_collapse.config.types import Probability, Width


class Config(MethodConfig):
    """BYOL (Grill et al. 2020): a predictor of what an average of earlier networks says."""

    recipe: ClassVar[dict[str, Any]] = LARS_RECIPE

    name: Literal["byol"] = "byol"
    """`byol`: a momentum encoder without negatives."""
    hidden_dim: Width = 4096
    """Width of the hidden layers of projector and predictor."""
    projection_dim: Width = 256
    """Width of the outputs of projector and predictor."""
    ema_momentum: Probability = 0.99
    """Momentum with which the target network follows, at first."""
    final_ema_momentum: Probability = 1.0
    """Where that momentum ends, on a half cosine over all steps; equal to the first: constant."""
