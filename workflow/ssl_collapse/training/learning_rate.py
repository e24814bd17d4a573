"""The learning rates of each epoch and step (docs/SCIENCE.md, "Optimisation")."""

import math

from ssl_collapse.config.pretrain import Recipe


def initial_lr(recipe: Recipe) -> float:
    """Linear scaling rule: base_lr * batch_size / 256."""
    return recipe.base_lr * recipe.batch_size / 256


def epoch_lr(recipe: Recipe, epoch: int, part: float = 0.0) -> float:
    """Learning rate in epoch e (from 0) of E, with w warm-up epochs.

    e < w: initial (1 + e) / (1 + w); then final + (initial - final)/2 (1 + cos(pi (e-w)/(E-w))).
    Both ends of the cosine are scaled: final = final_lr * batch_size / 256.

    With `lr_schedule: step`, e counts the `part` of the epoch that is done (0 to 1) as well, and
    the warm-up is initial e / w, so that the first step has the rate 0.
    """
    initial, warmup = initial_lr(recipe), recipe.warmup_epochs
    by_step = recipe.lr_schedule == "step"
    time = epoch + part if by_step else epoch
    if time < warmup:
        return initial * time / warmup if by_step else initial * (1 + time) / (1 + warmup)
    final = recipe.final_lr * recipe.batch_size / 256
    progress = (time - warmup) / (recipe.epochs - warmup)
    return final + (initial - final) / 2 * (1 + math.cos(math.pi * progress))


def predictor_lr(recipe: Recipe, epoch: int, part: float = 0.0) -> float:
    """The predictor's: with `fix_pred_lr` it warms up with the encoder and then stays initial."""
    fixed = recipe.fix_pred_lr and epoch >= recipe.warmup_epochs
    return initial_lr(recipe) if fixed else epoch_lr(recipe, epoch, part)
