"""Config of SimSiam."""

from typing import Literal

from ssl_collapse.config.types import Positive, StrictModel


class Config(StrictModel):
    """SimSiam (Chen & He 2021): predictor and stop-gradient, no negatives, no momentum encoder."""

    name: Literal["simsiam"] = "simsiam"
    projection_dim: Positive = 2048
    predictor_hidden_dim: Positive = 512
