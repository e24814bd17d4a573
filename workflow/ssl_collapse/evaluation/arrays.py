"""Collapse and k-NN of arrays in memory: `from ssl_collapse import measure, knn`."""

from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec
from ssl_collapse.evaluation.baseline import beside_baseline
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.evaluation.knn import classify
from ssl_collapse.evaluation.proposals import CpuBackend
from ssl_collapse.representations.file import of_arrays
from ssl_collapse.runtime.errors import UserError


def measure(
    X: Any, y: Any = None, *, threads: int = 1, baseline: bool = False, **settings: Any
) -> dict[str, Any]:
    """Every label-free measure of collapse: the content of collapse.json.

    Args:
        X: representations, an array or tensor of shape (N, D), floating point, N >= 2.
        y: the class of every row, (N,), for measures that need classes.
        threads: cores to use. Results agree to the last bit where the linear algebra library
            itself runs on one thread (OPENBLAS_NUM_THREADS=1).
        baseline: also measure an isotropic Gaussian of the same N and D, under "baseline".
        settings: keys of `evaluation.collapse` in the config, for example bootstrap_resamples=0.

    Returns:
        The measures by name, with "notes" and the "conventions" of all.

    Raises UserError for another shape or dtype, NaN or infinity (the row is named), rows that are
    all equal, and unknown settings.

    >>> import numpy as np
    >>> from ssl_collapse import measure
    >>> X = np.random.default_rng(0).standard_normal((1000, 3))
    >>> X[:, 2] = 0  # two dimensions of three carry all
    >>> found = measure(X)
    >>> found["numerical_rank"], found["dead_dimensions"]
    (2, 1)
    >>> round(found["auc"], 2)  # (1/2 + 1 + 1) / 3
    0.84
    """
    spec = _spec(CollapseSpec, settings)
    rows = of_arrays(X, y)
    content = measure_collapse(rows, spec, threads).content
    return beside_baseline(content, spec, threads) if baseline else content


def knn(
    train_X: Any,
    train_y: Any,
    val_X: Any = None,
    val_y: Any = None,
    *,
    threads: int = 1,
    **settings: Any,
) -> dict[str, Any]:
    """Accuracy of k-NN classification for fixed k and the best: the content of knn.json.

    Args:
        train_X, train_y: representations (N, D) that vote, and their classes (N,), whole numbers.
        val_X, val_y: those to classify, (M, D) and (M,). Without them each row of `train_X` is
            classified by all others (leave-one-out).
        threads: cores to use; changes no result.
        settings: keys of `evaluation.knn` in the config, for example metrics=["cosine"].

    Returns:
        "protocol" and "results": metric -> vote -> "fixed_k" and "oracle".

    Raises UserError as `measure` does, and where rows and classes do not fit each other.

    >>> import numpy as np
    >>> from ssl_collapse import knn
    >>> X, y = np.array([[0.0, 1], [0, 2], [1, 0], [2, 0]]), np.array([0, 0, 1, 1])
    >>> knn(X, y, np.array([[0.0, 3], [3, 0]]), np.array([0, 1]))["results"]["cosine"]["majority"]
    ...     # doctest: +ELLIPSIS
    {'fixed_k': {'1': 1.0, '20': None, '200': None}, 'oracle': {'k': 1, 'accuracy': 1.0, ...}}
    """
    if (val_X is None) != (val_y is None):
        raise UserError("give both val_X and val_y, or neither for leave-one-out")
    train = of_arrays(train_X, train_y, "train_X, train_y")
    if val_X is None:
        val = train
    else:
        val = of_arrays(val_X, val_y, "val_X, val_y")
        if val_X is train_X:
            val = replace(val, read=train.read)  # leave-one-out, as with one file given twice
    return classify(train, val, _spec(KnnSpec, settings), CpuBackend(threads)).content


def _spec(model: Any, settings: dict[str, Any]) -> Any:
    try:
        return model(**settings)
    except ValidationError as error:
        raise UserError(f"settings: {error}") from error
