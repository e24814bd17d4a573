"""Which training images each step of each epoch shows: the paper's data schedules.

`ordering` is a permutation of the N training indices; E epochs in R rounds give E_r = E // R
epochs per round, and epoch e lies in chunk c = (e mod E_r) // chunk_size (docs/SCIENCE.md, "Data
schedules").
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.runtime.errors import UserError

Indices = NDArray[np.int64]


def active_subset(recipe: Recipe, ordering: Indices, epoch: int) -> Indices:
    """Indices that epoch `epoch` (from 0) may show, in the ordering's order.

    Args:
        ordering: (N,) permutation of the training indices.
    """
    n = len(ordering)
    start, stop = _bounds(recipe, n, epoch)
    return ordering[start:stop]


def _bounds(recipe: Recipe, n: int, epoch: int) -> tuple[int, int]:
    epochs_per_round = recipe.epochs // recipe.n_rounds
    chunk_size = recipe.chunk_size or 1
    chunk = (epoch % epochs_per_round) // chunk_size
    if recipe.schedule == "current":
        start = n * chunk * chunk_size // epochs_per_round
        return start, n * (chunk + 1) * chunk_size // epochs_per_round
    if recipe.schedule == "accumulate":
        return 0, n * (chunk + 1) * chunk_size // epochs_per_round
    if recipe.schedule == "last":
        # Exact fractions: 20 % of 1,281,167 must not depend on binary rounding of 0.2.
        part = last_share(recipe)
        return int(n * (1 - part)), n
    return 0, n


def last_share(recipe: Recipe) -> Fraction:
    """The part of the data that `last` trains on: `share` percent, or chunk_size / E_r."""
    if recipe.share is not None:
        return Fraction(str(recipe.share)) / 100
    return Fraction(recipe.chunk_size or 1, recipe.epochs // recipe.n_rounds)


def images_used(recipe: Recipe, n: int, start_epoch: int = 0) -> int:
    """How many distinct images of N the epochs from `start_epoch` to the end may show."""
    seen = np.zeros(n, dtype=bool)
    for start, stop in {_bounds(recipe, n, e) for e in range(start_epoch, recipe.epochs)}:
        seen[start:stop] = True
    return int(seen.sum())


def steps_per_epoch(recipe: Recipe, n: int) -> int:
    """Optimisation steps of every epoch: N // batch_size, whatever the subset's size."""
    return recipe.steps_per_epoch or n // recipe.batch_size


def check_subsets(recipe: Recipe, n: int, start_epoch: int = 0) -> None:
    """Refuse a subset smaller than one batch (the reference loops forever on it)."""
    for epoch in range(start_epoch, recipe.epochs):
        start, stop = _bounds(recipe, n, epoch)
        size = min(stop, n) - start
        if size < recipe.batch_size:
            raise UserError(
                f"schedule `{recipe.schedule}` leaves {size} of {n} images in epoch {epoch}, fewer "
                f"than one batch of {recipe.batch_size}; lower batch_size, or raise share or "
                "chunk_size"
            )


def epoch_batches(recipe: Recipe, ordering: Indices, epoch: int, seed: int) -> Indices:
    """Indices that every step of one epoch shows, (steps, batch_size).

    Permutations of the active subset, each cut to whole batches, follow one another until there
    are enough steps; with `repeat_batch` r each batch is shown r times in a row.
    """
    subset = active_subset(recipe, ordering, epoch)
    steps = steps_per_epoch(recipe, len(ordering))
    rng = np.random.default_rng([seed, 0, epoch, 0])
    whole = len(subset) // recipe.batch_size
    distinct = -(-steps // recipe.repeat_batch)  # rounded up
    passes = -(-distinct // whole)
    permutations = [rng.permutation(subset)[: whole * recipe.batch_size] for _ in range(passes)]
    batches = np.concatenate(permutations).reshape(-1, recipe.batch_size)
    return np.repeat(batches[:distinct], recipe.repeat_batch, axis=0)[:steps]
