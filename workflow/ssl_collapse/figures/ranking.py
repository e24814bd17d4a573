"""Which label-free measure ranks runs as their accuracy does."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import rankdata

from ssl_collapse.config.figures import RankingFigure
from ssl_collapse.evaluation.measures import labels
from ssl_collapse.evaluation.measures.registry import MEASURES
from ssl_collapse.figures import points
from ssl_collapse.figures.inputs import require_numbers
from ssl_collapse.figures.theme import GREY, new_panels, style, wrapped
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity

TITLE = "Which measure forecasts accuracy?"
LEAST_RUNS = 5
RESAMPLES = 1000
_ROW = 0.28  # inches per measure
_ENDS = ("auc_low", "auc_high")  # of an interval: no measures of their own


def table(spec: RankingFigure, rows: pd.DataFrame) -> pd.DataFrame:
    """The plotted numbers: for every measure Spearman's rank correlation with the accuracy over the
    runs (means over their seeds), with a 95 % interval over resampled runs; strongest first."""
    require_numbers(rows, spec.accuracy)
    sound = rows[~rows["diverged"]]
    runs = sound.groupby("run", sort=False).mean(numeric_only=True)
    if len(runs) < LEAST_RUNS:
        raise UserError(f"a ranking needs {LEAST_RUNS} runs with numbers, there are {len(runs)}")
    columns = [
        m.name
        for m in MEASURES
        if m.label and m.name in runs and m not in labels.MEASURES and m.name not in _ENDS
    ]
    if rows["method"].nunique() == 1:  # losses of one kind
        columns.append("loss")
    records = []
    for column in columns:
        pairs = runs[[column, spec.accuracy]].dropna().to_numpy(dtype=np.float64)
        if len(pairs) < LEAST_RUNS or np.ptp(pairs[:, 0]) == 0:
            continue
        low, high = _interval(pairs)
        head = {"panel": "ranking", "quantity": column, "statistic": "correlation"}
        value = {"value": spearman(pairs), "low": low, "high": high, "runs": len(pairs)}
        records.append({**head, **value})
    names = ["panel", "quantity", "statistic", "value", "low", "high", "runs"]
    ranked = pd.DataFrame(records).reindex(columns=names)
    return ranked.sort_values("value", key=lambda v: -v.abs(), ignore_index=True, kind="stable")


def spearman(pairs: np.ndarray) -> float:
    """Pearson's correlation of the ranks of (n, 2) pairs; ties share theirs. NaN without spread."""
    ranks = rankdata(pairs, axis=0)
    ranks -= ranks.mean(axis=0)
    scale = np.sqrt((ranks**2).sum(axis=0).prod())
    return float((ranks[:, 0] * ranks[:, 1]).sum() / scale) if scale else float("nan")


def _interval(pairs: np.ndarray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(pairs), (RESAMPLES, len(pairs)))
    low, high = np.nanpercentile([spearman(pairs[rows]) for rows in draws], [2.5, 97.5])
    return float(low), float(high)


def draw(spec: RankingFigure, numbers: pd.DataFrame) -> Figure:
    """A line for each measure, the strongest on top."""
    with style(spec):
        height = 1.0 + _ROW * len(numbers)
        figure, (axes,) = new_panels(spec, TITLE, 1, columns=1, height=height)
        position = np.arange(len(numbers))
        error = [numbers["value"] - numbers["low"], numbers["high"] - numbers["value"]]
        axes.errorbar(
            numbers["value"], position, xerr=np.clip(error, 0, None), color=GREY, marker="D",
            markersize=5, capsize=3, linestyle="none", gid="correlation",
        )  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_yticks(
            position, [wrapped(quantity(str(column)).name, spec) for column in numbers["quantity"]]
        )
        axes.set_ylim(len(numbers) - 0.5, -0.5)
        axes.set_xlim(-1.05, 1.05)
        axes.grid(visible=False, axis="y")
        # the names of measures leave little room below the axis: it begins under them
        name = f"Rank correlation with {quantity(spec.accuracy).name}"
        axes.set_xlabel(wrapped(name, spec), loc="right", multialignment="right")
    return figure


def caption(spec: RankingFigure, numbers: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Title line, what is shown, and what the intervals allow to say."""
    accuracy = quantity(spec.accuracy).name
    shown = [
        f"Spearman's rank correlation of each label-free measure with {accuracy} over "
        f"{int(numbers['runs'].max())} runs (means over seeds), 95 % intervals over {RESAMPLES} "
        "resamples of the runs.",
        "The sign is as measured: a measure that is larger for more collapsed representations "
        "is useful where it is clearly negative.",
    ]
    clear = numbers[(numbers["low"] > 0) | (numbers["high"] < 0)]
    names = [f"{quantity(str(r.quantity)).name} ({r.value:+.2f})" for r in clear.itertuples()]
    clearest = [
        f"Intervals without zero: {', '.join(names) or 'none'}.",
        f"{len(numbers)} measures were looked at, so the strongest looks stronger than it is.",
    ]
    gone = int(rows["diverged"].sum())
    remark = [f"Left out since they diverged: {gone} of {len(rows)} trainings."] if gone else []
    return points.caption_text(spec.title or TITLE, shown, clearest, remark)
