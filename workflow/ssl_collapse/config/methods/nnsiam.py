"""Config of NNSiam."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ssl_collapse.config.method import MethodConfig
from ssl_collapse.config.types import Width

if TYPE_CHECKING:
    from ssl_collapse.config.pretrain import Recipe


class Config(MethodConfig):
    """NNSiam: SimSiam whose targets are their nearest neighbours among earlier embeddings."""

    name: Literal["nnsiam"] = "nnsiam"
    """`nnsiam`: SimSiam with nearest neighbours as targets (after Dwibedi et al. 2021)."""
    projection_dim: Width = 2048
    """Width of the projector's output."""
    predictor_hidden_dim: Width = 512
    """Width of the predictor's hidden layer."""
    queue_size: Annotated[int, Field(ge=1, le=10_000_000)] = 25_600
    """Earlier embeddings that are kept, a multiple of the batch_size."""

    def check(self, recipe: "Recipe") -> None:
        """The queue takes in whole batches."""
        if self.queue_size % recipe.batch_size:
            whole = max(1, round(self.queue_size / recipe.batch_size)) * recipe.batch_size
            raise ValueError(
                f"method.queue_size {self.queue_size} is no multiple of batch_size "
                f"{recipe.batch_size}; take {whole}"
            )
