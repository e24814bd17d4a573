"""Config of LeJEPA."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ssl_collapse.config.method import MethodConfig
from ssl_collapse.config.types import Positive, Probability, Width

if TYPE_CHECKING:
    from ssl_collapse.config.pretrain import Recipe


class Config(MethodConfig):
    """LeJEPA (Balestriero & LeCun 2025): views agree on embeddings that are Gaussian (SIGReg)."""

    # The authors' for ResNets, in which the rate ends at a thousandth; their colours; and the four
    # equal views of their minimal example in place of 2 global and 6 local ones.
    recipe: ClassVar[dict[str, Any]] = {
        "optimizer": "adamw",
        "base_lr": 5e-4,
        "final_lr": 5e-7,
        "weight_decay": 5e-4,
        "warmup_epochs": 1,
        "lr_schedule": "step",
        "augmentation": {
            "min_scale": 0.08,
            "saturation": 0.2,
            "solarize_probability": 0.2,
            "views": [{}, {}, {}, {}],
        },
    }

    name: Literal["lejepa"] = "lejepa"
    """`lejepa`: SIGReg on the embeddings, without stop-gradient or a second network."""
    hidden_dim: Width = 2048
    """Width of the projector's two hidden layers."""
    projection_dim: Width = 128
    """Width of the projector's output."""
    sigreg_weight: Probability = 0.05
    """lambda, the part of SIGReg in the loss; the rest is the views' agreement."""
    directions: Annotated[int, Field(ge=1, le=100_000)] = 1024
    """Random directions along which a step tests its embeddings."""
    global_views: Positive | None = None
    """The first so many views, whose mean all views are to meet; null: all of them."""

    def check(self, recipe: "Recipe") -> None:
        """There are as many views as are to be global."""
        views = len(recipe.augmentation.of_views)
        if self.global_views is not None and self.global_views > views:
            raise ValueError(
                f"method.global_views {self.global_views} exceeds the {views} entries of "
                "augmentation.views"
            )
