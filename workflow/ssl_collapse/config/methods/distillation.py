"""Config of distillation."""

from typing import Annotated, Any, ClassVar, Literal

from ssl_collapse.config.method import MethodConfig
from ssl_collapse.config.types import Neutral, NotNegative, Probability, Seed, StrictModel


class TeacherConfig(StrictModel):
    """The encoder whose features are learned."""

    run: str
    """The run that it is taken from."""
    epoch: NotNegative
    """Its finished epochs; 0: the network before training."""
    seed: Seed | None = None
    """Its seed; null: the same as the student's."""


class Config(MethodConfig):
    """Distillation, as the paper's authors do it: a student regresses a teacher's features."""

    fewest_views: ClassVar[int] = 1
    recipe: ClassVar[dict[str, Any]] = {"augmentation": {"views": [{}]}}

    name: Literal["distillation"] = "distillation"
    """`distillation`: the standardised features of another run's encoder, regressed."""
    # An input of the training and known by its content: no spec holds it.
    teacher: Annotated[TeacherConfig | None, Neutral(None)] = None
    """The encoder whose features are learned; it must be given."""
    ema_alpha: Probability = 0.05
    """Part of each batch in the running mean and standard deviation of its features."""
