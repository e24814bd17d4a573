"""Config of SimSiam."""

from typing import Annotated, Literal

from pydantic import Field

from ssl_collapse.config.base import StrictModel

Positive = Annotated[int, Field(ge=1)]


class Config(StrictModel):
    """SimSiam (Chen & He 2021): predictor and stop-gradient, no negatives, no momentum encoder."""

    name: Literal["simsiam"] = "simsiam"
    projection_dim: Positive = 2048
    predictor_hidden_dim: Positive = 512
