"""The caption of the four panels of spectra."""

from collections.abc import Mapping

import pandas as pd

from ssl_collapse.config.figures import SpectraFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.claims import page_sentence, share_claim, single_pass_claim
from ssl_collapse.figures.inputs import Key, by_curve, own_shares, spectrum_keys
from ssl_collapse.tables.columns import quantity

TITLE = "Spectrum of the representations"
MOST = 0.9  # of the sum of the singular values, which a caption counts
_AUC = quantity("auc")


def caption(
    spec: SpectraFigure,
    numbers: pd.DataFrame,
    rows: pd.DataFrame,
    spectra: Mapping[Key, pd.DataFrame],
    *_: object,
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
    judged = [
        points.means_sentence(numbers, "auc"),
        *_claims(rows, spec.claims or 1),
        page_sentence(spec),
    ]
    return points.caption_text(spec.title or TITLE, shown, judged, points.remarks(numbers, rows))


def _claims(rows: pd.DataFrame, claims: int) -> list[str]:
    if "curve" not in rows and not own_shares(rows):
        return [single_pass_claim(rows, _AUC, claims)]
    return [
        (f"{name}: " if name else "") + share_claim(runs, _AUC, +1, claims)
        for name, runs in by_curve(rows)
        if own_shares(runs)
    ]


def _most_of_the_sum(numbers: pd.DataFrame) -> str:
    curves = points.rows_of(numbers, "cumulative", "mean").groupby("label", sort=False)
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
    curves = points.rows_of(numbers, "cumulative", "mean")
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
    for key, label in zip(spectrum_keys(rows), labels, strict=True):
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
