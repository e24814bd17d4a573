"""What the config models of all methods share."""

import math
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from pydantic import ConfigDict

from ssl_collapse.config.types import StrictModel

if TYPE_CHECKING:
    from ssl_collapse.config.pretrain import Recipe

# BYOL's augmentation (Grill et al. 2020, appendix B), which many methods have taken over.
BYOL_AUGMENTATION: dict[str, Any] = {
    "min_scale": 0.08,
    "saturation": 0.2,
    "views": [
        {"blur_probability": 1.0},
        {"blur_probability": 0.1, "solarize_probability": 0.2},
    ],
}
# The reference's recipe of BYOL and MoCo v3, for 100 epochs.
LARS_RECIPE: dict[str, Any] = {
    "optimizer": "lars_excluding_1d",
    "base_lr": 0.6,
    "weight_decay": 1e-6,
    "warmup_epochs": 10,
    "lr_schedule": "step",
    "augmentation": BYOL_AUGMENTATION,
}


def _tell_recipe(schema: dict[str, Any], model: type["MethodConfig"]) -> None:
    if model.recipe:
        told = yaml.safe_dump(
            model.recipe, default_flow_style=True, sort_keys=False, width=math.inf
        )
        schema["description"] += f" Its defaults of the run's other keys: `{told.strip()}`."


class MethodConfig(StrictModel):
    """Base of every method's keys; its `name` has a default, which is the method's name."""

    model_config = ConfigDict(json_schema_extra=_tell_recipe)

    recipe: ClassVar[dict[str, Any]] = {}
    """Where the method's published recipe differs from SimSiam's: keys of a run, laid under the
    user's own when a config is read."""
    fewest_views: ClassVar[int] = 2
    """How many views of an image its loss takes at least."""

    def check(self, recipe: "Recipe") -> None:
        """Raise ValueError, which names the key and the way out, for a recipe it cannot have."""
