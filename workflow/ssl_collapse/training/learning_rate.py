"""The learning rate of each epoch."""

import math

from ssl_collapse.config.pretrain import Recipe


def initial_lr(recipe: Recipe) -> float:
    """Linear scaling rule: base_lr * batch_size / 256."""
    return recipe.base_lr * recipe.batch_size / 256


def epoch_lr(recipe: Recipe, epoch: int) -> float:
    """Learning rate of epoch e (from 0) of E, with w warm-up epochs.

    e < w: initial (1 + e) / (1 + w); then final + (initial - final)/2 (1 + cos(pi (e-w)/(E-w))).
    """
    initial, warmup = initial_lr(recipe), recipe.warmup_epochs
    if epoch < warmup:
        return initial * (1 + epoch) / (1 + warmup)
    progress = (epoch - warmup) / (recipe.epochs - warmup)
    return recipe.final_lr + (initial - recipe.final_lr) / 2 * (1 + math.cos(math.pi * progress))
