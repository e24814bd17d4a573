"""The measures of rows without any structure: an isotropic Gaussian of the same N and D."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.evaluation.measures.registry import measure_columns
from ssl_collapse.representations.file import Representations

ROWS_PER_DIMENSION = 100  # beyond, sampling moves a singular value by less than a tenth
BLOCK = 4096  # rows drawn with one seed
UNTRAINED = (
    "a Gaussian has mean zero, but features behind a ReLU are never negative, so that all of them "
    "share a direction: those of a ResNet-18 with random weights have mean_cosine 0.98 and "
    "std_per_dimension 0.005 (ideal 0.044), and a k-NN still tells easy classes apart; this is no "
    "collapse. Measures that do not subtract the mean (mean_cosine, std_per_dimension, uniformity, "
    "rankme) are to be compared with an untrained network on the same images, as audit.py does"
)


def beside_baseline(content: dict[str, Any], spec: CollapseSpec, threads: int) -> dict[str, Any]:
    """The content of collapse.json with "baseline": the measures of the Gaussian, and a caution."""
    return {**content, "baseline": baseline(content["n"], content["dim"], spec, threads)}


def baseline(n: int, dim: int, spec: CollapseSpec, threads: int = 1) -> dict[str, Any]:
    """Every measure of N rows of a D-dimensional standard normal, drawn with the spec's seed.

    Of at most 100 D rows (`n` says how many). Raising N flattens the spectrum no further then.
    """
    rows = min(n, ROWS_PER_DIMENSION * dim)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        first = start // BLOCK
        drawn = [_block(number, spec.seed, dim) for number in range(first, (stop - 1) // BLOCK + 1)]
        return np.concatenate(drawn)[start - first * BLOCK : stop - first * BLOCK]

    path = Path("isotropic Gaussian")
    gaussian = Representations(path, rows, dim, "float32", None, {}, read, from_file=False)
    found = measure_collapse(gaussian, spec.model_copy(update={"bootstrap_resamples": 0}), threads)
    measures = {name: found.content[name] for name in measure_columns() if name in found.content}
    return {
        "of": "isotropic Gaussian, the same dim and at most as many rows",
        "n": rows,
        **{name: value for name, value in measures.items() if value is not None},
        "note": UNTRAINED,
    }


def gaussian(n: int, dim: int, seed: int) -> NDArray[np.float32]:
    """N rows of a D-dimensional standard normal, (N, D), in memory."""
    blocks = [_block(number, seed, dim) for number in range(-(-n // BLOCK))]
    return np.concatenate(blocks)[:n]


def _block(number: int, seed: int, dim: int) -> NDArray[np.float32]:
    rng = np.random.default_rng([seed, 3, number])
    return rng.standard_normal((BLOCK, dim), dtype=np.float32)
