"""How nearest neighbours vote."""

from typing import Annotated, Literal

from pydantic import Field

from ssl_collapse.config.base import StrictModel

Metric = Literal["cosine", "l2"]
Vote = Literal["majority", "weighted"]


class KnnSpec(StrictModel):
    """The k-NN protocol: every k up to `k_max`, for each metric and each vote."""

    k_max: Annotated[int, Field(ge=1)] = 200
    temperature: Annotated[float, Field(gt=0, description="T of the vote exp(sim/T)")] = 0.07
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, strict=False)] = ("cosine", "l2")
    votes: Annotated[tuple[Vote, ...], Field(min_length=1, strict=False)] = ("majority", "weighted")
