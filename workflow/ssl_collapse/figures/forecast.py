"""Accuracy forecast without labels, from a measure of collapse and the training loss."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ssl_collapse.config.figures import ForecastFigure
from ssl_collapse.figures import points, theme
from ssl_collapse.figures.inputs import require_numbers
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity

TITLE = "Accuracy forecast without labels"
LEAST_RUNS = 5  # a plane has three parameters
RESAMPLES = 1000
LOWEST = -1.2  # R^2 that is drawn: below 0 it says no more than that
Float64Array = NDArray[np.float64]


def table(spec: ForecastFigure, rows: pd.DataFrame) -> pd.DataFrame:
    """The plotted numbers: `statistic` "seed" (measured `value` and `forecast` of one training) and
    "r2" (of forecasts from `label`: measure and loss, or one of them; 95 % over runs)."""
    for column in (spec.accuracy, spec.measure, "loss"):
        require_numbers(rows, column)
    if rows["method"].nunique() > 1:
        raise UserError(
            "losses of different methods are of different kinds; forecast one method at a time"
        )
    used = rows[np.isfinite(rows[[spec.accuracy, spec.measure, "loss"]]).all(axis=1)]
    if used["run"].nunique() < LEAST_RUNS:
        raise UserError(
            f"a forecast needs {LEAST_RUNS} runs with numbers, there are {used['run'].nunique()}"
        )
    measured = used[spec.accuracy].to_numpy(dtype=np.float64)
    run = used["run"].to_numpy()
    names = {"both": [spec.measure, "loss"], "measure": [spec.measure], "loss": ["loss"]}
    records: list[dict[str, object]] = []
    for name, columns in names.items():
        predictors = used[columns].to_numpy(dtype=np.float64)
        forecast = leave_one_run_out(predictors, measured, run)
        low, high = r2_interval(predictors, measured, run)
        r2 = r_squared(measured, forecast)
        head = {"panel": "r2", "quantity": spec.accuracy, "statistic": "r2", "label": name}
        records.append({**head, "value": r2, "low": low, "high": high})
        if name == "both":
            head = {"panel": "forecast", "quantity": spec.accuracy, "statistic": "seed"}
            records += [
                {**head, "run": r, "label": label, "seed": seed, "value": m, "forecast": f}
                for r, label, seed, m, f in zip(
                    run, used["label"], used["seed"], measured, forecast, strict=True
                )
            ]
    columns = ["panel", "quantity", "statistic", "run", "label", "seed", "value", "forecast"]
    return (
        pd.DataFrame(records).reindex(columns=[*columns, "low", "high"]).astype({"seed": "Int64"})
    )


def leave_one_run_out(x: Float64Array, y: Float64Array, run: NDArray[np.object_]) -> Float64Array:
    """Forecasts (n,) of y (n,) by least squares on x (n, p), each from the trainings of other runs.

    All seeds of a run are left out together: they share all but their random numbers.
    """
    design = np.column_stack([np.ones(len(y)), x])
    forecast = np.empty(len(y))
    for name in dict.fromkeys(run):
        out = run == name
        weights = np.linalg.lstsq(design[~out], y[~out], rcond=None)[0]
        forecast[out] = design[out] @ weights
    return forecast


def r_squared(y: Float64Array, forecast: Float64Array) -> float:
    """1 - sum (y - forecast)^2 / sum (y - mean y)^2; below 0 the mean would have been better."""
    total = np.sum((y - y.mean()) ** 2)
    return float(1 - np.sum((y - forecast) ** 2) / total) if total > 0 else math.nan


def r2_interval(x: Float64Array, y: Float64Array, run: NDArray[np.object_]) -> tuple[float, float]:
    """95 % percentile interval of R^2 over resampled runs; samples of too few runs are left out."""
    rng, names, drawn_r2 = np.random.default_rng(0), list(dict.fromkeys(run)), []
    for _ in range(RESAMPLES):
        drawn = rng.choice(len(names), len(names))
        if len(set(drawn)) > x.shape[1] + 1:
            rows = np.concatenate([np.flatnonzero(run == names[i]) for i in drawn])
            drawn_r2.append(r_squared(y[rows], leave_one_run_out(x[rows], y[rows], run[rows])))
    low, high = np.nanpercentile(drawn_r2, [2.5, 97.5])
    return float(low), float(high)


def draw(spec: ForecastFigure, numbers: pd.DataFrame) -> Figure:
    """Forecast against measured accuracy; beside it R^2 with and without each predictor."""
    with theme.style(spec):
        figure, panels = theme.new_panels(spec, TITLE, 2)
        _draw_forecasts(panels[0], numbers, spec)
        _draw_r2(panels[1], points.rows_of(numbers, "r2", "r2"), spec)
        theme.letter(spec, panels)
        theme.legend_below(spec, figure, *panels[0].get_legend_handles_labels(), 5)
    return figure


def _draw_forecasts(axes: Axes, numbers: pd.DataFrame, spec: ForecastFigure) -> None:
    seeds = points.rows_of(numbers, "forecast", "seed")
    labels: Sequence[str] = list(dict.fromkeys(seeds["label"]))
    for i, (label, color) in enumerate(zip(labels, theme.categorical(len(labels)), strict=True)):
        run = seeds[seeds["label"] == label]
        again = i // len(theme.MARKERS) % 2  # the same mark, but open
        axes.scatter(
            run["forecast"], run["value"], s=22, alpha=0.8,
            marker=theme.MARKERS[i % len(theme.MARKERS)],
            facecolors="none" if again else color, edgecolors=color if again else "none",
            label=theme.label_text(label), gid="seed",
        )  # fmt: skip
    both = seeds[["forecast", "value"]].to_numpy()
    ends = [both.min(), both.max()]
    axes.plot(
        ends, ends, "--", color=theme.DARK, linewidth=1.0, label="as forecast", gid="identity"
    )
    axes.set_xlabel("Forecast, without labels, in %")
    axes.set_ylabel(theme.wrapped(quantity(spec.accuracy).axis_label, spec))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=""))


def _draw_r2(axes: Axes, r2: pd.DataFrame, spec: ForecastFigure) -> None:
    labels = {"both": "both", "measure": quantity(spec.measure).name, "loss": "training loss"}
    position = np.arange(len(r2))
    error = [r2["value"] - r2["low"], r2["high"] - r2["value"]]
    axes.errorbar(
        position, r2["value"], yerr=np.clip(error, 0, None), color=theme.GREY, marker="D",
        capsize=4, linestyle="none", gid="r2",
    )  # fmt: skip
    axes.axhline(0, color=theme.GREY, linewidth=0.8)
    axes.set_ylim(max(LOWEST, float(r2["low"].min()) - 0.1), 1.05)
    axes.set_xticks(position, [labels[name] for name in r2["label"]])
    axes.set_xlim(-0.5, len(r2) - 0.5)
    axes.set_ylabel("R² of the forecast")
    axes.set_xlabel("Forecast from")


def caption(spec: ForecastFigure, numbers: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Title line, how the forecast is made, and how good it is."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    seeds = points.rows_of(numbers, "forecast", "seed")
    r2 = points.rows_of(numbers, "r2", "r2").set_index("label")
    numbers_of = {
        name: f"{r2.loc[name, 'value']:.2f} [{r2.loc[name, 'low']:.2f}, {r2.loc[name, 'high']:.2f}]"
        for name in r2.index
    }
    shown = [
        f"{accuracy.name} against its forecast from {measure.name} and the training loss, neither "
        "of which needs labels: a least-squares plane through the trainings of all other runs, so "
        "that no training is forecast from its own run.",
        f"{len(seeds)} trainings of {seeds['run'].nunique()} runs; one point each.",
    ]
    quality = [
        f"R^2 {numbers_of['both']}; from {measure.name} alone {numbers_of['measure']}, from the "
        f"loss alone {numbers_of['loss']} (95 % intervals over {RESAMPLES} resamples of the runs; "
        "below 0 the mean accuracy is the better forecast).",
    ]
    left = len(rows) - len(seeds)
    remark = [f"Left out for want of numbers: {left} of {len(rows)} trainings."] if left else []
    if (r2["low"] < LOWEST).any():
        remark.append(f"Intervals of R^2 are drawn from {LOWEST:g} on.")
    return points.caption_text(spec.title or TITLE, shown, quality, remark)
