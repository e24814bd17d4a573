"""What tests of figures share: specs, and what artists show beside what their table says."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

SHARES = '{"kind": "shares", "runs": ["s1", "s10", "s100"]}'
SCHEDULES = '{"kind": "schedules", "runs": ["iid", "single", "hybrid"], "title": "Mine"}'
SPECTRA = '{"kind": "spectra", "runs": ["s1", "s10", "s100"]}'
ALL = ("s1", "s10", "s100")


def one(values: Iterable[object], gid: str) -> list[object]:
    return [artist for artist in values if artist.get_gid() == gid]


def seeds_shown(axes: Axes) -> np.ndarray:
    found = [c for c in one(axes.collections, "seed") if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(c.get_offsets()) for c in found])


def expected(table: pd.DataFrame, panel: str, statistic: str, *columns: str) -> np.ndarray:
    rows = table[(table["panel"] == panel) & (table["statistic"] == statistic)]
    return rows[list(columns)].to_numpy(dtype=np.float64)


def texts(figure: Figure) -> Sequence[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def before_training(sweep: pd.DataFrame) -> pd.DataFrame:
    """The sweep with epoch 0 of run s1: AUC .9 and .92, accuracy .2 and .3."""
    rows = sweep[sweep["run"] == "s1"].assign(
        epoch=0, final=False, auc=[0.90, 0.92], knn_cosine_k20=[0.2, 0.3]
    )
    return pd.concat([sweep, rows], ignore_index=True)


def spectra_paths(summary: pd.DataFrame, write_spectrum) -> list[Path]:
    """Of a run that has diverged, the spectrum has its header only."""
    paths = []
    for run, seed, diverged in summary[["run", "seed", "diverged"]].itertuples(index=False):
        paths.append(write_spectrum(run, seed, [4.0 + seed, 2.0, 1.0]))
        if diverged:
            paths[-1].write_text("index,singular_value,normalized,cumulative,above_noise_floor\n")
    return paths
