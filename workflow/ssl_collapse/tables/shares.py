"""How much of the data a run shows."""

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.views.schedule import images_used, last_share


def share(recipe: Recipe, start_epoch: int = 0) -> float:
    """Percent of the data that the epochs from `start_epoch` on show, by the recipe alone.

    No count of images is in it: a fifth of 1,281,167 of them is 20 %, and not 20.00003 %.
    """
    if recipe.schedule == "last":
        return float(100 * last_share(recipe))
    parts = recipe.epochs // recipe.n_rounds  # a round shows one of these per epoch
    return 100 * images_used(recipe, parts, start_epoch) / parts
