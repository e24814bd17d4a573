"""How collapse is measured."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ssl_collapse.config.base import StrictModel


class CollapseSpec(StrictModel):
    """Settings of the label-free measures; AUC itself has none."""

    bootstrap_resamples: Annotated[int, Field(ge=0, description="0 switches it off")] = 100
    alpha_first_rank: Annotated[int, Field(ge=1)] = 11
    alpha_last_rank: Annotated[int, Field(ge=2)] = 100
    uniformity_samples: Annotated[int, Field(ge=2, description="rows drawn at random")] = 2048
    seed: Annotated[int, Field(ge=0, description="of the bootstrap and of uniformity")] = 0

    @model_validator(mode="after")
    def _ranks_in_order(self) -> Self:
        if self.alpha_last_rank <= self.alpha_first_rank:
            raise ValueError(
                f"alpha_last_rank ({self.alpha_last_rank}) must be larger than "
                f"alpha_first_rank ({self.alpha_first_rank})"
            )
        return self
