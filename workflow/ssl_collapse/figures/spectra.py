"""The four panels of the paper's Figure 3: the spectrum three ways, and the AUC of eq. 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SpectraFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.against import draw_against
from ssl_collapse.figures.claims import page_sentence, share_claim, single_pass_claim
from ssl_collapse.figures.inputs import (
    Key,
    own_shares,
    read_spectra,
    require_numbers,
    select,
    untrained,
)
from ssl_collapse.figures.theme import (
    BAND_ALPHA,
    DARK,
    GREY,
    MARKERS,
    RED,
    categorical,
    dashes,
    label_text,
    letter,
    new_panels,
    sequential,
    style,
)
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import log_t_band, t_band

TITLE = "Spectrum of the representations"
MOST = 0.9  # of the sum of the singular values, which a caption counts
# panel: its title and the label of its vertical axis
_CURVES = {
    "singular_value": ("Singular values", "Singular value"),
    "normalized": ("Divided by the largest", "Singular value / largest"),
    "cumulative": ("Explained singular values", "Explained(j) of eq. 2"),
}
_AUC = quantity("auc")
Looks = Mapping[str, dict[str, Any]]  # label of a run -> how its line looks


def read(
    spec: SpectraFigure, summary: pd.DataFrame, paths: Sequence[Path]
) -> tuple[pd.DataFrame, Mapping[Key, pd.DataFrame], pd.DataFrame]:
    """The runs' rows at the figure's epoch, all spectra, and the rows before training."""
    rows = select(summary, spec.runs, None if spec.epoch == "last" else spec.epoch)
    before = untrained(summary, rows)
    return rows, read_spectra(paths, [*keys(rows), *keys(before)]), before


def keys(rows: pd.DataFrame) -> list[Key]:
    """The spectra that the curves are made of: those of the seeds that have not diverged."""
    sound = rows[~rows["diverged"]]
    return [
        (str(run), int(seed), int(epoch))
        for run, seed, epoch in zip(sound["run"], sound["seed"], sound["epoch"], strict=True)
    ]


def table(
    spec: SpectraFigure,
    rows: pd.DataFrame,
    spectra: Mapping[Key, pd.DataFrame],
    before: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The plotted numbers: mean curves with their bands, and `points.point_table` for the AUC.

    rows, spectra: of the plotted runs; `spectra` by run, seed and epoch, for `keys(rows)`. Curves
    have one row per index (from 1); a run of which every seed has diverged has none. A singular
    value below the noise floor in any seed is left out of the first two panels. Their band is the
    t interval of the logarithm (geometric mean); that of the cumulative curve is linear.
    `statistic` "flat": the line of a flat spectrum; "untrained": the mean curve of the rows
    `before` training, for each architecture and dimension. Raises UserError if the spectra of a
    run's seeds differ in length.
    """
    require_numbers(rows, "auc")
    parts = []
    for run, group in rows.groupby("run", sort=False):
        seeds = [spectra[key] for key in keys(group)]
        for panel in _CURVES if seeds else ():
            curve = _curve(str(run), panel, seeds)
            curve = curve.assign(panel=panel, quantity=panel, statistic="mean", run=run)
            first = group.iloc[0][["label", "share", *(["curve"] if "curve" in group else [])]]
            parts.append(curve.assign(**first))
    if before is not None:
        parts += _untrained(before, spectra)
    if spectra:
        dimension = max(part["index"].max() for part in parts if len(part))
        flat = pd.DataFrame({"index": [1, dimension], "value": [1 / dimension, 1.0]})
        parts.append(flat.assign(panel="cumulative", quantity="cumulative", statistic="flat"))
    if spec.auc is not False:
        parts.append(points.point_table(rows, {"auc": "auc"}, untrained=before))
    parts = [part for part in parts if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    named = [*points.COLUMNS[:6], *(["curve"] if "curve" in rows else [])]
    columns = [*named, "index", *points.COLUMNS[6:]]
    whole = whole.reindex(columns=columns)
    whole[["seed", "seeds", "index"]] = whole[["seed", "seeds", "index"]].astype("Int64")
    return whole


def _untrained(before: pd.DataFrame, spectra: Mapping[Key, pd.DataFrame]) -> list[pd.DataFrame]:
    alike: dict[tuple[str, int], list[pd.DataFrame]] = {}
    for key, arch in zip(keys(before), before["arch"], strict=True):
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
    with style(spec):
        figure, panels = new_panels(spec, TITLE, 3 if spec.auc is False else 4)
        means = points.of(numbers, _AUC.column if spec.auc is not False else "cumulative", "mean")
        means = means.drop_duplicates("run")
        curves = [part for _, part in means.groupby("curve", sort=False)] if (
            "curve" in means
        ) else [means]  # fmt: skip
        sweep = len(means) > 1 and all(part["share"].is_unique for part in curves)
        looks = _sweeps(curves) if sweep else _unordered(means)
        for axes, panel in zip(panels, _CURVES, strict=False):
            _draw_curves(axes, numbers, panel, looks)
            axes.set_title(_CURVES[panel][0])
        if spec.auc is not False:
            _draw_auc(panels[3], numbers, looks, sweep)
        letter(spec, panels, always=True)
        _legend(spec, figure, "Share of data" if sweep else None)
    return figure


def _unordered(means: pd.DataFrame) -> Looks:
    """The lines differ by more than their hue, since the runs have no order."""
    kinds = zip(means["label"], categorical(len(means)), dashes(len(means)), strict=True)
    return {
        label: {
            "color": color, "linestyle": dash, "marker": MARKERS[i % len(MARKERS)],
            "markevery": (0.02 * (i % 6), 0.12), "markersize": 3.5,
        }
        for i, (label, color, dash) in enumerate(kinds)
    }  # fmt: skip


def _sweeps(curves: Sequence[pd.DataFrame]) -> Looks:
    """Colours by share, dashes by curve."""
    shares = sorted({share for part in curves for share in part["share"]})
    colors = dict(zip(shares, sequential(len(shares)), strict=True))
    return {
        label: {"color": colors[share], "linestyle": dash}
        for dash, part in zip(dashes(len(curves)), curves, strict=True)
        for share, label in sorted(zip(part["share"], part["label"], strict=True))
    }


def _legend(spec: SpectraFigure, figure: Figure, title: str | None) -> None:
    found = dict(zip(*figure.axes[2].get_legend_handles_labels()[::-1], strict=True))
    last = dict(zip(*figure.axes[-1].get_legend_handles_labels()[::-1], strict=True))
    of_panel = (
        "mean",
        "mean, 95 % interval",
        "one seed",
        "95 % interval",
        "untrained",
    )  # said in the caption
    found.update({label: last[label] for label in last if label not in of_panel})
    place: dict[str, Any] = {"loc": "outside right center"}
    if spec.auc is False and spec.width != "column":  # in the place of the fourth panel
        middle = {"bbox_to_anchor": (0.5, 0.5), "bbox_transform": figure.axes[3].transAxes}
        place = {"loc": "center", **middle}
    elif spec.width:  # no room beside the panels
        place = {"loc": "outside lower center", "ncols": 2 if spec.width == "column" else 4}
    figure.legend(list(found.values()), list(found), frameon=False, title=title, **place)


def _draw_curves(axes: Axes, numbers: pd.DataFrame, panel: str, looks: Looks) -> None:
    """By index, or where spectra differ in length by the part of the dimensions."""
    curves = points.of(numbers, panel, "mean")
    whole = numbers[(numbers["panel"] == "cumulative") & (numbers["statistic"] != "flat")]
    dims = whole.groupby("label")["index"].max().astype("float64")
    alike = dims.nunique() < 2
    unit = dims * 0 + 1 if alike else dims
    for label, look in looks.items():
        curve = curves[curves["label"] == label]
        x = curve["index"].to_numpy(dtype=np.float64) / unit.get(label, 1)
        axes.fill_between(
            x, curve["low"], curve["high"],
            color=look["color"], alpha=BAND_ALPHA, linewidth=0, gid="band",
        )  # fmt: skip
        axes.plot(x, curve["value"], label=label_text(label), gid=f"mean {label}", **look)
    for start, curve in points.of(numbers, panel, "untrained").groupby("label"):
        x = curve["index"].to_numpy(dtype=np.float64) / unit[start]
        axes.plot(
            x, curve["value"], points.LEVELS["untrained"],
            color=DARK, linewidth=1.0, label="untrained", gid="untrained",
        )  # fmt: skip
    flat = points.of(numbers, panel, "flat")
    if curves.empty:
        text = axes.text(0.5, 0.5, "every training diverged", color=RED, ha="center")
        text.set_transform(axes.transAxes)
        axes.set(xticks=[], yticks=[])
    elif len(flat):
        x = flat["index"].to_numpy(dtype=np.float64) / unit.max()
        line: dict[str, Any] = {"color": DARK, "linestyle": (0, (1, 3)), "linewidth": 1.0}
        axes.plot(x, flat["value"], label="flat", gid="flat", **line)
    else:
        axes.set_yscale("log")
    axes.set_xlabel("Index of the singular value" + ("" if alike else " / dimensions"))
    axes.set_ylabel(_CURVES[panel][1])


def _draw_auc(axes: Axes, numbers: pd.DataFrame, looks: Looks, sweep: bool) -> None:
    axes.set_title("AUC" + (" against the share of data" if sweep else ""))
    if sweep:
        draw_against(axes, numbers, "auc", "share", GREY)
        axes.set_xlabel("Share of the training images (%)")
        return
    seeds = points.of(numbers, "auc", "seed")
    position = {label: i for i, label in enumerate(looks)}
    seeds = seeds.assign(position=seeds["label"].map(position) + 0.18)
    for mean in points.means(numbers, "auc"):
        points.draw_run(
            axes, mean, seeds, position[mean.label], looks[mean.label]["color"], across="y"
        )
    points.draw_untrained(axes, numbers, "auc", "y")
    points.draw_diverged(axes, seeds, "position", "y")
    axes.set_xticks(range(len(position)), [*map(label_text, position)], rotation=30, ha="right")
    axes.set_xlim(-0.5, len(position) - 0.5)
    axes.set_ylabel(_AUC.axis_label)


def caption(
    spec: SpectraFigure,
    numbers: pd.DataFrame,
    rows: pd.DataFrame,
    spectra: Mapping[Key, pd.DataFrame],
    before: pd.DataFrame | None = None,
) -> str:
    """Title line, then what is shown, what is hidden, and what the AUC says of the claims."""
    epochs = sorted(set(rows["epoch"]))
    when = f"at epoch {epochs[0]}" if len(epochs) == 1 else "at each run's last epoch"
    if rows["schedule"].isna().all() and epochs == [1]:  # files, of a training elsewhere
        when = "as their files hold them"
    with_auc = spec.auc is not False
    counts = numbers.loc[numbers["statistic"] == "mean", "seeds"].dropna()
    seeds = int(counts.max()) if len(counts) else 0
    auc = "its mean over j, the AUC (0.5 for a flat spectrum, towards 1 as it collapses)"
    shown = [
        f"Centred representations of the training images {when}: (a) singular values, "
        "(b) divided by the largest, (c) their cumulative share, explained(j) of eq. 2, "
        "with the line of a flat spectrum" + (f", (d) {auc}." if with_auc else "."),
        points.seeds_sentence(numbers) if with_auc else f"Not drawn: {auc}.",
        points.untrained_sentence(numbers),
        f"Bands: 95 % t-intervals over up to {seeds} seeds at every index, on the logarithm in (a) "
        "and (b)."
        if seeds > 1
        else "",
        _cut(numbers),
        _noise_sentence(rows, spectra),
        _left_out(rows, "" if with_auc else f" ({points.diverged_names(rows)})"),
    ]
    if not with_auc:
        return points.caption_text(spec.title or TITLE, shown, [_most_of_the_sum(numbers)])
    found = [
        f"AUC: {points.numbers(numbers, 'auc')}.",
        *_claims(rows, spec.claims or 1),
        page_sentence(spec),
    ]
    return points.caption_text(spec.title or TITLE, shown, found, points.remarks(numbers, rows))


def _claims(rows: pd.DataFrame, claims: int) -> list[str]:
    if "curve" not in rows:
        if own_shares(rows):
            return [share_claim(rows, _AUC, +1, claims)]
        return [single_pass_claim(rows, _AUC, claims)]
    curves = [(name, part) for name, part in rows.groupby("curve", sort=False) if own_shares(part)]
    return [f"{name}: {share_claim(part, _AUC, +1, claims)}" for name, part in curves]


def _most_of_the_sum(numbers: pd.DataFrame) -> str:
    curves = points.of(numbers, "cumulative", "mean").groupby("label", sort=False)
    first = [
        f"{label} {int(curve.loc[curve['value'] >= MOST, 'index'].min())} of {len(curve)}"
        for label, curve in curves
    ]
    if not first:
        return ""
    return (
        f"{100 * MOST:g} % of the sum of the singular values lies in the first: {'; '.join(first)}."
    )


def _cut(numbers: pd.DataFrame) -> str:
    curves = points.of(numbers, "cumulative", "mean")
    # at the last index every curve is 1
    cut = (curves["high"] == 1) & (curves["value"] < 1) | (curves["low"] == 0)
    return "Bands in (c) are cut to the values that are possible." if cut.any() else ""


def _left_out(rows: pd.DataFrame, reasons: str) -> str:
    seeds = int(rows["diverged"].sum())
    if not seeds:
        return ""
    text = f"(a) to (c) leave out {seeds} of {len(rows)} trainings, which diverged{reasons}"
    gone = [
        str(label) for label, group in rows.groupby("label", sort=False) if group["diverged"].all()
    ]
    return text + (f"; none is left of {', '.join(gone)}." if gone else ".")


def _noise_sentence(rows: pd.DataFrame, spectra: Mapping[Key, pd.DataFrame]) -> str:
    hidden: dict[str, str] = {}
    most: dict[str, int] = {}
    labels = rows[~rows["diverged"]]["label"]
    for key, label in zip(keys(rows), labels, strict=True):
        above = spectra[key]["above_noise_floor"]
        below = int((~above).sum())
        if below > most.get(label, 0):
            most[label], hidden[label] = below, f"{label}: {below} of {len(above)}"
    if not hidden:
        return ""
    return (
        "Singular values below the numerical noise floor are not drawn in (a) and (b) "
        f"({'; '.join(hidden.values())})."
    )
