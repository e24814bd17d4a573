"""The four panels of the paper's Figure 3: the spectrum three ways, and the AUC of eq. 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SpectraFigure
from ssl_collapse.figures import points, theme
from ssl_collapse.figures.against import draw_against
from ssl_collapse.figures.inputs import (
    Key,
    by_curve,
    read_spectra,
    require_numbers,
    select,
    spectrum_keys,
    untrained,
)
from ssl_collapse.figures.spectra_caption import TITLE, caption
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import log_t_band, t_band

# panel: its title and the label of its vertical axis
_CURVES = {
    "singular_value": ("Singular values", "Singular value"),
    "normalized": ("Divided by the largest", "Singular value / largest"),
    "cumulative": ("Explained singular values", "Explained(j) of eq. 2"),
}
_AUC = quantity("auc")
__all__ = ["caption", "draw", "read", "table"]

Looks = Mapping[str, dict[str, Any]]  # label of a run -> how its line looks


def read(
    spec: SpectraFigure, summary: pd.DataFrame, paths: Sequence[Path]
) -> tuple[pd.DataFrame, Mapping[Key, pd.DataFrame], pd.DataFrame]:
    """The runs' rows at the figure's epoch, all spectra, and the rows before training."""
    rows = select(summary, spec.runs, None if spec.epoch == "last" else spec.epoch)
    before = untrained(summary, rows)
    return rows, read_spectra(paths, [*spectrum_keys(rows), *spectrum_keys(before)]), before


def table(
    spec: SpectraFigure,
    rows: pd.DataFrame,
    spectra: Mapping[Key, pd.DataFrame],
    before: pd.DataFrame,
) -> pd.DataFrame:
    """The plotted numbers: mean curves with their bands, and `points.point_table` for the AUC.

    rows, spectra: of the plotted runs; `spectra` by run, seed and epoch, for `spectrum_keys(rows)`.
    Curves have one row per index (from 1), of a run that diverged in every seed none. A singular
    value below the noise floor in any seed is left out of the first two panels. Their band is the
    t interval of the logarithm (geometric mean); that of the cumulative curve is linear.
    `statistic` "flat": the line of a flat spectrum; "untrained": the mean curve of the rows
    `before` training, for each architecture and dimension. Raises UserError if the spectra of a
    run's seeds differ in length.
    """
    require_numbers(rows, "auc")
    parts = []
    for run, group in rows.groupby("run", sort=False):
        seeds = [spectra[key] for key in spectrum_keys(group)]
        for panel in _CURVES if seeds else ():
            curve = _curve(str(run), panel, seeds)
            curve = curve.assign(panel=panel, quantity=panel, statistic="mean", run=run)
            first = group.iloc[0][["label", "share", *(["curve"] if "curve" in group else [])]]
            parts.append(curve.assign(**first))
    parts += _untrained(before, spectra)
    if spectra:
        dimension = max(part["index"].max() for part in parts if len(part))
        flat = pd.DataFrame({"index": [1, dimension], "value": [1 / dimension, 1.0]})
        parts.append(flat.assign(panel="cumulative", quantity="cumulative", statistic="flat"))
    if spec.auc is not False:
        parts.append(points.point_table(rows, {"auc": "auc"}, before))
    parts = [part for part in parts if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    named = [*points.COLUMNS[:6], *(["curve"] if "curve" in rows else [])]
    columns = [*named, "index", *points.COLUMNS[6:]]
    whole = whole.reindex(columns=columns)
    whole[["seed", "seeds", "index"]] = whole[["seed", "seeds", "index"]].astype("Int64")
    return whole


def _untrained(before: pd.DataFrame, spectra: Mapping[Key, pd.DataFrame]) -> list[pd.DataFrame]:
    alike: dict[tuple[str, int], list[pd.DataFrame]] = {}
    for key, arch in zip(spectrum_keys(before), before["arch"], strict=True):
        alike.setdefault((arch, len(spectra[key])), []).append(spectra[key])
    return [
        _curve("before training", panel, seeds)[["index", "value", "seeds"]].assign(
            panel=panel, quantity=panel, statistic="untrained", label=f"{arch}, {dim} dimensions"
        )
        for (arch, dim), seeds in alike.items()
        for panel in _CURVES
    ]


def _curve(run: str, panel: str, seeds: list[pd.DataFrame]) -> pd.DataFrame:
    lengths = sorted({len(seed) for seed in seeds})
    if len(lengths) > 1:
        raise UserError(
            f"the seeds of run {run!r} have spectra of {lengths[0]} and {lengths[-1]} values; "
            "compute them again from one encoder"
        )
    samples = np.stack([seed[panel].to_numpy(dtype=np.float64) for seed in seeds])
    index = np.arange(1, lengths[0] + 1)
    if panel == "cumulative":
        mean, low, high = t_band(samples)
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    else:
        above = np.all([seed["above_noise_floor"].to_numpy() for seed in seeds], axis=0)
        index = index[above]
        mean, low, high = log_t_band(samples[:, above])
    curve = {"index": index, "value": mean, "low": low, "high": high, "seeds": len(seeds)}
    return pd.DataFrame(curve)


def draw(spec: SpectraFigure, numbers: pd.DataFrame) -> Figure:
    """Panels with one line per run; runs of a data sweep take their colours in order.

    Several sweeps, each a `curve`, have colours by share and dashes by curve.
    """
    with theme.style(spec):
        figure, panels = theme.new_panels(spec, TITLE, 3 if spec.auc is False else 4)
        means = points.rows_of(
            numbers, _AUC.column if spec.auc is not False else "cumulative", "mean"
        )
        means = means.drop_duplicates("run")
        curves = [runs for _, runs in by_curve(means)]
        sweep = len(means) > 1 and all(runs["share"].is_unique for runs in curves)
        looks = _sweeps(curves) if sweep else _unordered(means)
        for axes, panel in zip(panels, _CURVES, strict=False):
            _draw_curves(axes, numbers, panel, looks)
            axes.set_title(_CURVES[panel][0])
        if spec.auc is not False:
            _draw_auc(panels[3], numbers, looks, sweep)
        theme.letter(spec, panels, always=True)
        _legend(spec, figure, "Share of data" if sweep else None)
    return figure


def _unordered(means: pd.DataFrame) -> Looks:
    """The lines differ by more than their hue, since the runs have no order."""
    kinds = zip(
        means["label"], theme.categorical(len(means)), theme.dashes(len(means)), strict=True
    )
    return {
        label: {
            "color": color, "linestyle": dash, "marker": theme.MARKERS[i % len(theme.MARKERS)],
            "markevery": (0.02 * (i % 6), 0.12), "markersize": 3.5,
        }
        for i, (label, color, dash) in enumerate(kinds)
    }  # fmt: skip


def _sweeps(curves: Sequence[pd.DataFrame]) -> Looks:
    """Colours by share, dashes by curve."""
    shares = sorted({share for runs in curves for share in runs["share"]})
    colors = dict(zip(shares, theme.sequential(len(shares)), strict=True))
    return {
        label: {"color": colors[share], "linestyle": dash}
        for dash, runs in zip(theme.dashes(len(curves)), curves, strict=True)
        for share, label in sorted(zip(runs["share"], runs["label"], strict=True))
    }


def _legend(spec: SpectraFigure, figure: Figure, title: str | None) -> None:
    entries = theme.legend_entries(figure.axes[2])
    said = ("mean", "mean, 95 % interval", "one seed", points.BAND, "untrained")  # in the caption
    last = theme.legend_entries(figure.axes[-1])
    entries |= {label: mark for label, mark in last.items() if label not in said}
    place: dict[str, Any] = {"loc": "outside right center"}
    if spec.auc is False and spec.width != "column":  # in the place of the fourth panel
        middle = {"bbox_to_anchor": (0.5, 0.5), "bbox_transform": figure.axes[3].transAxes}
        place = {"loc": "center", **middle}
    elif spec.width:  # no room beside the panels
        place = {"loc": "outside lower center", "ncols": 2 if spec.width == "column" else 4}
    figure.legend(list(entries.values()), list(entries), frameon=False, title=title, **place)


def _draw_curves(axes: Axes, numbers: pd.DataFrame, panel: str, looks: Looks) -> None:
    """By index, or where spectra differ in length by the part of the dimensions."""
    curves = points.rows_of(numbers, panel, "mean")
    whole = numbers[(numbers["panel"] == "cumulative") & (numbers["statistic"] != "flat")]
    dims = whole.groupby("label")["index"].max().astype("float64")
    alike = dims.nunique() < 2
    unit = dims * 0 + 1 if alike else dims
    for label, look in looks.items():
        curve = curves[curves["label"] == label]
        x = curve["index"].to_numpy(dtype=np.float64) / unit.get(label, 1)
        theme.draw_band(axes, x, curve, look["color"])
        axes.plot(x, curve["value"], label=theme.label_text(label), gid=f"mean {label}", **look)
    for start, curve in points.rows_of(numbers, panel, "untrained").groupby("label"):
        x = curve["index"].to_numpy(dtype=np.float64) / unit[start]
        axes.plot(
            x, curve["value"], points.LEVELS["untrained"],
            color=theme.DARK, linewidth=1.0, label="untrained", gid="untrained",
        )  # fmt: skip
    flat = points.rows_of(numbers, panel, "flat")
    if curves.empty:
        text = axes.text(0.5, 0.5, "every training diverged", color=theme.RED, ha="center")
        text.set_transform(axes.transAxes)
        axes.set(xticks=[], yticks=[])
    elif len(flat):
        x = flat["index"].to_numpy(dtype=np.float64) / unit.max()
        line: dict[str, Any] = {"color": theme.DARK, "linestyle": (0, (1, 3)), "linewidth": 1.0}
        axes.plot(x, flat["value"], label="flat", gid="flat", **line)
    else:
        axes.set_yscale("log")
    axes.set_xlabel("Index of the singular value" + ("" if alike else " / dimensions"))
    axes.set_ylabel(_CURVES[panel][1])


def _draw_auc(axes: Axes, numbers: pd.DataFrame, looks: Looks, sweep: bool) -> None:
    axes.set_title("AUC" + (" against the share of data" if sweep else ""))
    if sweep:
        draw_against(axes, numbers, "auc", "share", theme.GREY)
        axes.set_xlabel("Share of the training images (%)")
        return
    seeds = points.rows_of(numbers, "auc", "seed")
    position = {label: i for i, label in enumerate(looks)}
    seeds = seeds.assign(position=seeds["label"].map(position) + 0.18)
    for mean in points.means(numbers, "auc"):
        label = mean.label
        points.draw_run(axes, mean, seeds, position[label], looks[label]["color"], across="y")
    points.draw_untrained(axes, numbers, "auc", "y")
    points.draw_diverged(axes, seeds, "position", "y")
    axes.set_xticks(
        range(len(position)), [*map(theme.label_text, position)], rotation=30, ha="right"
    )
    axes.set_xlim(-0.5, len(position) - 0.5)
    axes.set_ylabel(_AUC.axis_label)
