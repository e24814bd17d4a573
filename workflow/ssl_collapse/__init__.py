"""Measures whether, and why, a self-supervised encoder has collapsed.

>>> from ssl_collapse import measure, knn  # of arrays or tensors in memory
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_collapse.evaluation.arrays import knn, measure

__all__ = ["knn", "measure"]
__version__ = "0.2.1"


def __getattr__(name: str) -> Any:
    """`measure` and `knn` where they are asked for: importing the package alone loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ssl_collapse.evaluation import arrays

    return getattr(arrays, name)
