"""A spectrum from elsewhere, as the paper's authors released theirs, and what it alone tells."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.collapse import Collapse
from ssl_collapse.evaluation.measures.about import ABOUT
from ssl_collapse.evaluation.measures.registry import MEASURES, conventions
from ssl_collapse.evaluation.measures.spectral import (
    alpha_req,
    auc,
    nesum,
    numerical_rank,
    participation_ratio,
    spectral_entropy_rank,
)
from ssl_collapse.evaluation.result_format import FORMAT_VERSION
from ssl_collapse.representations.forms import BARE, in_memory, open_arrays
from ssl_collapse.runtime.errors import UserError

Float64Array = NDArray[np.float64]
# The authors' files say `stds`, and hold singular values
NAMES = ("singular_values", "singular_value", "sigma", "stds", BARE)


def read_spectrum(path: Path) -> tuple[Float64Array, str]:
    """The singular values (D,) of a file, largest first, and the type that they are stored in.

    Any of the forms of representations, with a 1-D array under one of `NAMES` or alone, or the
    workflow's own spectrum.csv. Raises UserError for anything else, negative values, NaN, infinity
    and a spectrum of zeros.
    """
    arrays = _csv(path) if path.suffix == ".csv" else open_arrays(path)[0]
    names = [name for name in NAMES if name in arrays] or list(arrays)
    if not names or (len(arrays) > 1 and names[0] not in NAMES):
        found = ", ".join(sorted(arrays)) or "none"
        raise UserError(f"{path}: has no key 'singular_values'; keys found: {found}; save them so")
    stored = arrays[names[0]]
    if len(stored.shape) != 1 or 0 in stored.shape or not stored.dtype.startswith("float"):
        raise UserError(
            f"{path}: holds {stored.dtype} of shape {stored.shape}; a spectrum is a list of "
            "singular values, save it as float32 or float64 (D,)"
        )
    sigma = stored.whole().astype(np.float64)
    if not np.isfinite(sigma).all() or sigma.min() < 0 or sigma.max() == 0:
        raise UserError(
            f"{path}: singular values are finite, not negative and not all 0; give such"
        )
    return np.sort(sigma)[::-1], stored.dtype


def _csv(path: Path) -> dict[str, Any]:
    try:
        table = np.genfromtxt(path, delimiter=",", names=True, ndmin=1)
        return {"singular_value": in_memory(table["singular_value"])}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: not a spectrum.csv with a column singular_value ({error}); write it again"
        ) from None


def measure_spectrum(sigma: Float64Array, dtype: str, spec: CollapseSpec) -> Collapse:
    """The measures that need the centred spectrum (D,) alone; all others are null.

    Values at or below eps sigma_1, eps being that of `dtype`, cannot be told from the rounding of
    a singular value decomposition in that type.
    """
    floor = float(np.finfo(dtype).eps * sigma[0])
    first, last = spec.alpha_first_rank, spec.alpha_last_rank
    alpha, r2 = alpha_req(sigma, first, last, floor) or (None, None)
    known = {
        "auc": auc(sigma),
        "effective_rank": spectral_entropy_rank(sigma),
        "participation_ratio": participation_ratio(sigma),
        "nesum": nesum(sigma),
        "alpha": alpha,
        "alpha_r2": r2,
        "numerical_rank": numerical_rank(sigma, 0, floor),
        "dim": len(sigma),
        "dtype": dtype,
        "sigma_max": float(sigma[0]),
        "noise_floor": floor,
    }
    content = {
        "format_version": FORMAT_VERSION,
        **{measure.name: known.get(measure.name) for measure in (*MEASURES, *ABOUT)},
        "notes": [
            "of a spectrum alone: measures that need the representations are null; the noise floor "
            f"is eps sigma_1 of {dtype}, in which the spectrum is stored"
        ],
        "conventions": conventions(spec),
    }
    return Collapse(content, sigma, floor)
