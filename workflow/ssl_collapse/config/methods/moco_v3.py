"""Config of MoCo v3."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ssl_collapse.config.method import LARS_RECIPE, MethodConfig
from ssl_collapse.config.types import AboveZero, Probability, Width

Layers = Annotated[int, Field(ge=1, le=100)]


class Config(MethodConfig):
    """MoCo v3 (Chen et al. 2021): contrast with the keys of a momentum encoder, as for ResNets."""

    recipe: ClassVar[dict[str, Any]] = LARS_RECIPE

    name: Literal["moco_v3"] = "moco_v3"
    """`moco_v3`: a momentum encoder, the other images of the batch being negatives."""
    hidden_dim: Width = 4096
    """Width of the hidden layers of projector and predictor."""
    projection_dim: Width = 256
    """Width of the outputs of projector and predictor."""
    projector_layers: Layers = 2
    """Layers of the projector; 3 for a ViT."""
    predictor_layers: Layers = 2
    """Layers of the predictor."""
    predictor_norm: bool = False
    """Whether the predictor, like the projector, ends in a batch norm; true for a ViT."""
    temperature: AboveZero = 1.0
    """T of exp(cosine / T); .2 for a ViT."""
    ema_momentum: Probability = 0.99
    """Momentum with which the network of the keys follows, at first."""
    final_ema_momentum: Probability = 1.0
    """Where that momentum ends, on a half cosine over all steps; equal to the first: constant."""
