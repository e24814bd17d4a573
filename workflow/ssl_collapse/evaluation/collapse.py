"""From a representation file to every label-free measure of collapse and the spectrum."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation import measures as metrics
from ssl_collapse.evaluation.bootstrap import auc_interval
from ssl_collapse.evaluation.conventions import conventions
from ssl_collapse.evaluation.moments import Moments, PassResult, accumulate, rows_per_chunk
from ssl_collapse.evaluation.spectrum import explained, gram_floor, rounding_floor, singular_values
from ssl_collapse.representations.file import Representations
from ssl_collapse.runtime.errors import UserError

Float64Array = NDArray[np.float64]
Measures = dict[str, float | int | None]


@dataclass(frozen=True)
class Collapse:
    """`content` is what collapse.json holds; `sigma` (D,) the centred spectrum, largest first."""

    content: dict[str, Any]
    sigma: Float64Array
    noise_floor: float


def measure_collapse(
    representations: Representations, spec: CollapseSpec, threads: int = 1
) -> Collapse:
    """Measure in one pass over the representations (N, D), in memory independent of N.

    The number of threads changes no bit of the result, provided that the linear algebra library
    itself runs on one (the script sees to it). Raises UserError for fewer than two rows, NaN or
    infinity, and representations that are all equal. A file that `represent` has marked as failed
    gives `diverged`, its `failure`, no measure and no spectrum.
    """
    if representations.failure is not None:
        return _failed(representations, representations.failure, spec)
    n, dim = representations.n, representations.dim
    if n < 2:
        raise UserError(f"{representations.path}: has one row; a spread needs two or more")
    passed = accumulate(
        representations.chunks(rows_per_chunk(dim)),
        n,
        dim,
        _sample(n, spec),
        spec.seed,
        threads,
    )
    if not np.isfinite(passed.raw.uncentred()).all():
        raise UserError(
            f"{representations.path}: its values are so large that their squares overflow; "
            "divide them by a constant, which changes no measure but sigma_max"
        )
    moments = (passed.raw.scatter, passed.raw.uncentred(), passed.unit.scatter)
    with ThreadPoolExecutor(threads) as pool:
        sigma, uncentred, unit = pool.map(singular_values, moments)
    rounding = rounding_floor(passed.raw, representations.dtype)
    if sigma[0] <= rounding:
        raise UserError(
            f"{representations.path}: all rows are equal to within the rounding of "
            f"{representations.dtype}; there is no spread to measure (total collapse)"
        )
    floor = max(gram_floor(sigma), rounding)
    interval = auc_interval(
        passed.groups, metrics.auc(sigma), spec.bootstrap_resamples, spec.seed, threads
    )
    content = {
        "auc": metrics.auc(sigma),
        "auc_low": interval[0] if interval else None,
        "auc_high": interval[1] if interval else None,
        **_spectral(sigma, uncentred, n, floor, spec),
        "std_per_dimension": metrics.std_per_dimension(passed.unit.scatter, n),
        "mean_cosine": metrics.mean_cosine(passed.unit.mean, n, passed.zero_rows),
        "uniformity": metrics.uniformity(passed.sample),
        **_unit_measures(passed.unit, unit, representations.dtype, spec),
        **_about(representations, passed, sigma, rounding),
        "notes": _notes(n, dim),
        "conventions": conventions(spec, len(passed.groups)),
    }
    return Collapse(content, sigma, floor)


def spectrum_table(collapse: Collapse) -> str:
    """The CSV table of the centred spectrum: one line per singular value, largest first.

    Of a failed encoder it has its header only.
    """
    sigma = collapse.sigma
    parts = [sigma, sigma / sigma[0], explained(sigma)] if sigma.size else [sigma]
    rows = np.stack(parts, axis=1).tolist()
    lines = ["index,singular_value,normalized,cumulative,above_noise_floor"]
    for index, (value, normalized, cumulative) in enumerate(rows, start=1):
        above = int(value > collapse.noise_floor)
        lines.append(f"{index},{value!r},{normalized!r},{cumulative!r},{above}")
    return "\n".join(lines) + "\n"


def _failed(representations: Representations, failure: str, spec: CollapseSpec) -> Collapse:
    # The names of all measures are those of any two rows, which differ.
    toy = replace(
        representations, n=2, dim=2, dtype="float32", attrs={}, read=lambda i, j: np.eye(2)[i:j]
    )
    measured = measure_collapse(toy, spec).content
    content = {
        **dict.fromkeys(measured),
        "diverged": True,
        "failure": failure,
        "n": representations.n,
        "dim": representations.dim,
        "dtype": representations.dtype,
        "notes": [],
        "conventions": measured["conventions"],
    }
    return Collapse(content, np.zeros(0), 0.0)


def _sample(n: int, spec: CollapseSpec) -> NDArray[np.int64]:
    """Sorted numbers of the rows that uniformity is estimated on."""
    if n <= spec.uniformity_samples:
        return np.arange(n)
    rng = np.random.default_rng([spec.seed, 2])
    return np.sort(rng.choice(n, spec.uniformity_samples, replace=False))


def _spectral(
    sigma: Float64Array, uncentred: Float64Array, n: int, floor: float, spec: CollapseSpec
) -> Measures:
    """The measures that read a spectrum alone; AUC is the caller's."""
    fit = metrics.alpha_req(sigma, spec.alpha_first_rank, spec.alpha_last_rank, floor)
    return {
        "rankme": metrics.spectral_entropy_rank(uncentred),
        "effective_rank": metrics.spectral_entropy_rank(sigma),
        "participation_ratio": metrics.participation_ratio(sigma),
        "nesum": metrics.nesum(sigma),
        "alpha": fit[0] if fit else None,
        "alpha_r2": fit[1] if fit else None,
        "numerical_rank": metrics.numerical_rank(sigma, n, floor),
    }


def _unit_measures(unit: Moments, sigma: Float64Array, dtype: str, spec: CollapseSpec) -> Measures:
    """The same measures after L2 normalisation, their names ending in `_l2`."""
    rounding = rounding_floor(unit, dtype)
    floor = max(gram_floor(sigma), rounding)
    uncentred = singular_values(unit.uncentred())
    if sigma[0] <= rounding:  # all point one way: nothing is left to measure
        names = ["auc", *_spectral(uncentred, uncentred, unit.n, 0.0, spec)]
        return {f"{name}_l2": None for name in names} | {"noise_floor_l2": floor}
    values: Measures = {"auc": metrics.auc(sigma)}
    values |= _spectral(sigma, uncentred, unit.n, floor, spec)
    return {f"{name}_l2": value for name, value in values.items()} | {"noise_floor_l2": floor}


def _about(
    representations: Representations, passed: PassResult, sigma: Float64Array, rounding: float
) -> dict[str, float | int | str]:
    """What was measured, and how far the numbers reach."""
    n, dim = representations.n, representations.dim
    raw = passed.raw
    eps = float(np.finfo(np.dtype(representations.dtype)).eps)
    spread = np.sqrt(np.diag(raw.scatter) / n)
    return {
        "n": n,
        "dim": dim,
        "dtype": representations.dtype,
        "sigma_max": float(sigma[0]),
        "noise_floor": max(gram_floor(sigma), rounding),
        "noise_floor_gram": gram_floor(sigma),
        "noise_floor_rounding": rounding,
        "rank_bound": min(n - 1, dim),
        "dead_dimensions": int(np.count_nonzero(spread <= eps * np.abs(raw.mean))),
        "zero_rows": passed.zero_rows,
    }


def _notes(n: int, dim: int) -> list[str]:
    if n > dim:
        return []
    return [
        f"{n} rows in {dim} dimensions: centred, at most {n - 1} singular values differ from zero, "
        "and AUC is larger than it would be with more rows"
    ]
