"""Config of SimSiam."""

from typing import Literal

from ssl_collapse.config.method import MethodConfig
from ssl_collapse.config.types import Width


class Config(MethodConfig):
    """SimSiam (Chen & He 2021): predictor and stop-gradient, no negatives, no momentum encoder."""

    name: Literal["simsiam"] = "simsiam"
    """`simsiam`: the method of the paper."""
    projection_dim: Width = 2048
    """Width of the projector's output."""
    predictor_hidden_dim: Width = 512
    """Width of the predictor's hidden layer."""
