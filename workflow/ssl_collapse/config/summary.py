"""What the summary stage receives: one row per run, seed and analysed epoch."""

from typing import Annotated, Self

from pydantic import Field, TypeAdapter, model_validator

from ssl_collapse.config.paths import fill
from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.config.types import Neutral, NotNegative, StrictModel, Text, from_spec


class SummaryRow(StrictModel):
    """What the plan knows of one analysed epoch; a hybrid names the run and epoch of its start."""

    run: Text
    """Name of the run."""
    seed: NotNegative
    """Seed of the training."""
    epoch: NotNegative
    """Finished epochs."""
    final: bool
    """Whether it is the run's last epoch."""
    dataset: Text | None
    """Name of the dataset that it trains on, or of checkpoints is measured on; none of files."""
    evaluated_on: Annotated[Text | None, Neutral(None)] = None
    """Name of the dataset that is measured; null: the same."""
    recipe: Recipe | None
    """The run's recipe; none of files."""
    start_run: Text | None = None
    """The run that a hybrid starts from."""
    start_epoch: NotNegative | None = None
    """Finished epochs of that start."""
    probe: bool = False
    """Whether the epoch has a probe.json."""
    probe_cached: Annotated[bool, Neutral(False)] = False
    """Whether it has a probe-cached.json beside it."""
    projector: Annotated[bool, Neutral(False)] = False
    """Whether the projector's representations were measured, too."""
    views: Annotated[bool, Neutral(False)] = False
    """Whether it has a view-measures.json."""
    share: Annotated[float | None, Neutral(None)] = None
    """Percent of the training images that the encoder of a run of files has seen."""
    knn: Annotated[bool, Neutral(True)] = True
    """Whether it has a knn.json."""

    @model_validator(mode="after")
    def _whole_start(self) -> Self:
        if (self.start_run is None) != (self.start_epoch is None):
            raise ValueError("start_run and start_epoch belong together: give both or neither")
        return self

    def path(self, pattern: str, **values: str) -> str:
        """A result of this epoch, by its pattern."""
        return fill(pattern, run=self.run, seed=self.seed, epoch=self.epoch, **values)


_ADAPTER: TypeAdapter[list[SummaryRow]] = TypeAdapter(
    Annotated[list[SummaryRow], Field(min_length=1)]
)


def parse_rows(spec: str) -> list[SummaryRow]:
    """The rows that the stage's JSON lists (errors: pydantic.ValidationError)."""
    return from_spec(_ADAPTER, spec)
