"""From a representation file to every label-free measure of collapse and the spectrum."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.bootstrap import auc_interval
from ssl_collapse.evaluation.measures.about import ABOUT
from ssl_collapse.evaluation.measures.distances import squared_distances
from ssl_collapse.evaluation.measures.measure import Measured
from ssl_collapse.evaluation.measures.registry import MEASURES, conventions
from ssl_collapse.evaluation.measures.spectral import auc
from ssl_collapse.evaluation.moments import PassResult, accumulate, rows_per_chunk
from ssl_collapse.evaluation.result_format import FORMAT_VERSION
from ssl_collapse.evaluation.spectrum import both_spectra, explained, singular_vectors
from ssl_collapse.representations.file import Representations
from ssl_collapse.runtime.errors import UserError

Float64Array = NDArray[np.float64]
Numbers = dict[str, float | int | str | None]


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
    passed = _passed(representations, spec, threads)
    with ThreadPoolExecutor(threads) as pool:
        measured, normalised = _measured(passed, representations.dtype, spec, pool)
        if measured.sigma[0] <= measured.rounding:
            raise UserError(
                f"{representations.path}: all rows are equal to within the rounding of "
                f"{representations.dtype}; there is no spread to measure (total collapse)"
            )
        # from the last on: those of the spectrum wait for the interval, which has just begun
        values = list(pool.map(lambda measure: measure.value(measured), MEASURES[::-1]))[::-1]
    content = {
        "format_version": FORMAT_VERSION,
        **{measure.name: value for measure, value in zip(MEASURES, values, strict=True)},
        **_normalised(normalised),
        **{measure.name: measure.value(measured) for measure in ABOUT},
        **(_std_vectors(passed) if spec.std_vector else {}),
        "notes": _notes(representations.n, representations.dim),
        "conventions": conventions(spec),
    }
    return Collapse(content, measured.sigma, measured.floor)


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
    numbers = [*(m.name for m in MEASURES), *_normalised(None), *(m.name for m in ABOUT)]
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        **dict.fromkeys(numbers),
        "notes": [],
        "conventions": conventions(spec),
        "diverged": True,
        "failure": failure,
    }
    if spec.std_vector:
        content |= {"std_vector": None, "std_vector_l2": None}
    content |= {"n": representations.n, "dim": representations.dim, "dtype": representations.dtype}
    return Collapse(content, np.zeros(0), 0.0)


def _passed(representations: Representations, spec: CollapseSpec, threads: int) -> PassResult:
    n, dim, targets = representations.n, representations.dim, representations.targets
    if n < 2:
        raise UserError(f"{representations.path}: has one row; a spread needs two or more")
    chunks = representations.chunks(rows_per_chunk(dim))
    passed = accumulate(chunks, dim, _sample(n, spec), threads, targets)
    if not np.isfinite(passed.raw.uncentred()).all():
        raise UserError(
            f"{representations.path}: its values are so large that their squares overflow; "
            "divide them by a constant, which changes no measure but sigma_max"
        )
    return passed


def _sample(n: int, spec: CollapseSpec) -> NDArray[np.int64]:
    """Sorted numbers of the rows of the sample."""
    if n <= spec.uniformity_samples:
        return np.arange(n)
    rng = np.random.default_rng([spec.seed, 2])
    return np.sort(rng.choice(n, spec.uniformity_samples, replace=False))


def _measured(
    passed: PassResult, dtype: str, spec: CollapseSpec, pool: ThreadPoolExecutor
) -> tuple[Measured, Measured]:
    """What to measure: the rows as they are, and L2-normalised."""
    raw, unit = passed.raw, passed.unit
    centred = pool.submit(singular_vectors, raw.scatter)  # the longest first
    others = pool.map(both_spectra, (raw, unit))
    distances = pool.submit(squared_distances, passed.sample - raw.mean)
    sigma, vectors = centred.result()
    rows, settings = passed.sample - raw.mean, (spec.bootstrap_resamples, spec.seed)
    interval = pool.submit(
        lambda: auc_interval(rows, vectors, raw.n, auc(sigma), *settings) if sigma[0] else None
    )
    (_, uncentred), (sigma_l2, uncentred_l2) = others
    as_is = Measured(
        moments=raw,
        sigma=sigma,
        uncentred=uncentred,
        dtype=dtype,
        unit=unit,
        sample=passed.sample,
        distances=distances.result(),
        classes=passed.classes,
        zero_rows=passed.zero_rows,
        interval=interval.result,
        spec=spec,
    )
    return as_is, replace(as_is, moments=unit, sigma=sigma_l2, uncentred=uncentred_l2)


def _normalised(of: Measured | None) -> Numbers:
    """The measures after L2 normalisation, their names ending in `_l2`.

    Where all rows point one way nothing is left to measure.
    """
    some = of is not None and of.sigma[0] > of.rounding
    values = {
        f"{m.name}_l2": m.value(of) if of and some else None for m in MEASURES if m.normalised
    }
    return {**values, "noise_floor_l2": of.floor if of else None}


def _std_vectors(passed: PassResult) -> dict[str, list[float]]:
    """Standard deviation (divisor N) of every dimension, of rows as they are and L2-normalised."""
    of = {"std_vector": passed.raw, "std_vector_l2": passed.unit}
    return {name: np.sqrt(m.scatter.diagonal() / m.n).tolist() for name, m in of.items()}


def _notes(n: int, dim: int) -> list[str]:
    if n > dim:
        return []
    return [
        f"{n} rows in {dim} dimensions: centred, at most {n - 1} singular values differ from zero, "
        "and AUC is larger than it would be with more rows"
    ]
