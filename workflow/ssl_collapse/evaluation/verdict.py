"""Collapsed, partly, or not: a stated rule on the spectrum of an encoder's representations.

The rule counts directions by the effective rank (Roy & Vetterli 2007) of the centred
representations, against two references on as many images: an isotropic Gaussian of the same
dimensions, whose spectrum is as flat as so few rows allow (few rows shorten any spectrum, and raise
AUC); and the same network with random weights, whose representations are far from isotropic, too.
The mean takes no part in it: behind a ReLU it is large without any collapse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.bootstrap import NORMAL_975
from ssl_collapse.evaluation.measures.directions import mean_cosine
from ssl_collapse.evaluation.measures.spectral import (
    auc,
    nesum,
    participation_ratio,
    spectral_entropy_rank,
)
from ssl_collapse.evaluation.moments import unit_rows

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
Interval = tuple[float, float]
Word = Literal["collapsed", "partly collapsed", "not collapsed"]

OF_FLAT_COLLAPSED, OF_UNTRAINED_COLLAPSED, OF_FLAT_SOUND = 0.05, 0.5, 0.5
RULE = (
    "Collapsed: all representations are equal; or their effective rank is below "
    f"{100 * OF_FLAT_COLLAPSED:.0f} % of that of an isotropic Gaussian of as many rows and "
    f"dimensions, and below {100 * OF_UNTRAINED_COLLAPSED:.0f} % of that of the same network with "
    "random weights on the same images. Not collapsed: at least "
    f"{100 * OF_FLAT_SOUND:.0f} % of the Gaussian's. Partly "
    "collapsed: all between. The bounds are conventions. Of the spectra that the paper's authors "
    "released, counted in the same way, that of 1 % of ImageNet has 91 % of a flat one's, that of "
    "5 % 63 %, and those of 10 to 100 % have 27 to 36 %."
)


@dataclass(frozen=True)
class Verdict:
    """The word, the two shares of effective rank that it follows from, and why, in a sentence.

    `of_flat` and `of_untrained` are None where all representations are equal.
    """

    word: Word
    of_flat: float | None
    of_untrained: float | None
    why: str


def total_collapse(failure: str) -> Verdict:
    """Of an encoder that tells no image from another."""
    return Verdict("collapsed", None, None, f"{failure[:1].upper()}{failure[1:]}.")


def judge(
    rank: float, flat: float, untrained: float, interval: Interval | None, few_rows: bool = False
) -> Verdict:
    """Apply the rule to effective ranks: of the encoder, of the Gaussian, of random weights.

    interval: of the first. few_rows: whether there are no more rows than dimensions.
    """
    of_flat, of_untrained = rank / flat, rank / untrained
    word = _word(of_flat, of_untrained)
    why = (
        f"Its effective rank is {rank:.1f}: {percent(of_flat)} of the {flat:.1f} of a spectrum as "
        f"flat as so many images allow, and {percent(of_untrained)} of the {untrained:.1f} of the "
        "same network with random weights."
    )
    if word == "partly collapsed" and 0.8 <= of_untrained <= 1.25:
        why += " That is about as many as without any training: it was not training that lost them."
    others = {_word(end / flat, end / untrained) for end in interval or ()} - {word}
    if few_rows:
        why += (
            " There are fewer images than dimensions: the share of flat is overstated; take more."
        )
    if OF_FLAT_COLLAPSED * flat < 1:  # the least effective rank is 1
        why += " So few images can show no collapse but a total one."
    if others:
        why += f" Its interval reaches into {' and '.join(sorted(others))}."
    return Verdict(word, of_flat, of_untrained, why)


def _word(of_flat: float, of_untrained: float) -> Word:
    if of_flat >= OF_FLAT_SOUND:
        return "not collapsed"
    few = of_flat < OF_FLAT_COLLAPSED and of_untrained < OF_UNTRAINED_COLLAPSED
    return "collapsed" if few else "partly collapsed"


def percent(part: float) -> str:
    """A share as text: 64 %, 0.24 %."""
    return f"{100 * part:.0f} %" if part >= 0.1 else f"{100 * part:.2g} %"


def spectrum_of(rows: FloatArray) -> Float64Array:
    """All D centred singular values of rows (N, D) in memory, largest first; also if N < D."""
    n, dim = rows.shape
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    square = centred @ centred.T if n < dim else centred.T @ centred
    values = np.sqrt(np.clip(np.linalg.eigvalsh(square)[::-1], 0.0, None))
    return np.concatenate([values, np.zeros(dim - len(values))])


def directions_for(sigma: FloatArray, share: float) -> int:
    """How many of the directions (D,) carry this share of the variance, sigma^2."""
    carried = np.cumsum(sigma**2) / np.sum(sigma**2)
    return int(np.searchsorted(carried, share - 1e-12) + 1)


_OF_SIGMA: dict[str, Callable[[Float64Array], float]] = {
    "auc": auc,
    "effective_rank": spectral_entropy_rank,
    "participation_ratio": participation_ratio,
    "nesum": nesum,
}


def intervals(rows: FloatArray, resamples: int = 50, seed: int = 0) -> dict[str, Interval]:
    """95 % intervals of some measures for the choice of images, from random halves of rows (N, D).

    As `bootstrap.auc_interval`: what all rows give -+ 1.96 standard errors (Shao & Wu 1989), here
    of rows themselves, which are few and in memory. Empty for fewer than 20 rows.
    """
    n = len(rows)
    if n < 20:
        return {}
    half, rng = n // 2, np.random.default_rng([seed, 5])
    found = [_measures(rows[rng.permutation(n)[:half]]) for _ in range(resamples)]
    whole = _measures(rows)
    widths = {}
    for name, value in whole.items():
        spread = float(np.std([one[name] for one in found], ddof=1))
        margin = NORMAL_975 * spread * float(np.sqrt(half / (n - half)))
        widths[name] = (value - margin, value + margin)
    return widths


def _measures(rows: FloatArray) -> dict[str, float]:
    sigma, units = spectrum_of(rows), unit_rows(rows)
    return {
        **{name: measure(sigma) for name, measure in _OF_SIGMA.items()},
        "std_per_dimension": float(units.std(axis=0).mean()),
        "mean_cosine": mean_cosine(units.mean(axis=0), len(rows)),
    }


def accuracy_interval(accuracy: float, n: int) -> Interval:
    """95 % interval of a share of n (Wilson 1927)."""
    z2 = NORMAL_975**2
    centre = (accuracy + z2 / (2 * n)) / (1 + z2 / n)
    spread = accuracy * (1 - accuracy) / n + z2 / (4 * n * n)
    margin = NORMAL_975 * float(np.sqrt(spread)) / (1 + z2 / n)
    return max(centre - margin, 0.0), min(centre + margin, 1.0)
