"""All numbers of an audit: an encoder beside random weights and beside a flat spectrum."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation import verdict
from ssl_collapse.evaluation.arrays import knn, measure
from ssl_collapse.evaluation.baseline import gaussian
from ssl_collapse.evaluation.verdict import Verdict

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
K = ("1", "20")  # of the fixed k of k-NN


def audit(
    trained: FloatArray | str,
    untrained: FloatArray | str,
    targets: IntArray | None,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Any]:
    """The verdict, and what it is made of, as plain data.

    Args:
        trained: representations (N, D), or why there is nothing to measure.
        untrained: of the same network with random weights, of the same images.
        targets: the class of every image (N,); None: no k-NN.
        seed: of the Gaussian and the random halves behind the intervals.
        threads: cores to use.
    """
    shape = next((rows.shape for rows in (trained, untrained) if not isinstance(rows, str)), None)
    flat = gaussian(shape[0], shape[1], seed) if shape else "no rows"
    sides = {
        "encoder": _side(trained, targets, seed, threads, resamples=50),
        "untrained": _side(untrained, targets, seed, threads),
        "gaussian": _side(flat, targets, seed, threads),
    }
    found = _verdict(sides)
    return {
        "verdict": found.word,
        "why": found.why,
        "of_flat": found.of_flat,
        "of_untrained": found.of_untrained,
        "rule": verdict.RULE,
        **sides,
    }


def _side(
    rows: FloatArray | str, targets: IntArray | None, seed: int, threads: int, resamples: int = 0
) -> dict[str, Any]:
    """Measures, spectrum and k-NN of one set of representations; or its failure."""
    if isinstance(rows, str):
        return {"failure": rows}
    sigma = verdict.spectrum_of(rows)
    side: dict[str, Any] = {
        "measures": measure(rows, targets, threads=threads, bootstrap_resamples=0, seed=seed),
        "intervals": verdict.intervals(rows, resamples, seed) if resamples else {},
        "directions": {
            f"{share:.0%}": verdict.directions_for(sigma, share) for share in (0.9, 0.99)
        },
        "spectrum": sigma.tolist(),
    }
    if targets is not None:
        found = knn(rows, targets, threads=threads, metrics=["cosine"], votes=["majority"])
        accuracies = found["results"]["cosine"]["majority"]["fixed_k"]
        known = {k: accuracies[k] for k in K if accuracies[k] is not None}
        side["knn"] = {
            k: {"accuracy": value, "interval": verdict.accuracy_interval(value, len(rows))}
            for k, value in known.items()
        }
    return side


def _verdict(sides: dict[str, dict[str, Any]]) -> Verdict:
    encoder, untrained, flat = (sides[name] for name in ("encoder", "untrained", "gaussian"))
    if "failure" in encoder:
        return verdict.total_collapse(encoder["failure"])
    name = "effective_rank"
    return verdict.judge(
        encoder["measures"][name],
        flat["measures"][name],
        1.0 if "failure" in untrained else untrained["measures"][name],
        encoder["intervals"].get(name),
        encoder["measures"]["n"] <= encoder["measures"]["dim"],
    )
