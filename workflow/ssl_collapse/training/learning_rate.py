"""The learning rates of each epoch (docs/SCIENCE.md, "Optimisation")."""

import math

from ssl_collapse.config.pretrain import Recipe


def initial_lr(recipe: Recipe) -> float:
    """Linear scaling rule: base_lr * batch_size / 256."""
    return recipe.base_lr * recipe.batch_size / 256


def epoch_lr(recipe: Recipe, epoch: int) -> float:
    """Learning rate of epoch e (from 0) of E, with w warm-up epochs.

    e < w: initial (1 + e) / (1 + w); then final + (initial - final)/2 (1 + cos(pi (e-w)/(E-w))).
    Both ends of the cosine are scaled: final = final_lr * batch_size / 256.
    """
    initial, warmup = initial_lr(recipe), recipe.warmup_epochs
    if epoch < warmup:
        return initial * (1 + epoch) / (1 + warmup)
    final = recipe.final_lr * recipe.batch_size / 256
    progress = (epoch - warmup) / (recipe.epochs - warmup)
    return final + (initial - final) / 2 * (1 + math.cos(math.pi * progress))


def predictor_lr(recipe: Recipe, epoch: int) -> float:
    """The predictor's: with `fix_pred_lr` it warms up with the encoder and then stays initial."""
    fixed = recipe.fix_pred_lr and epoch >= recipe.warmup_epochs
    return initial_lr(recipe) if fixed else epoch_lr(recipe, epoch)
