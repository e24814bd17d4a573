"""Reading what figures are made from: tables/summary.csv and the spectra."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from ssl_collapse.config.figures import Figure, PlottedRun
from ssl_collapse.config.paths import INSIDE, matching
from ssl_collapse.runtime.errors import UserError

# Names of people's choosing: a run may be called "001" or "None".
_TEXT = ("run", "dataset", "evaluated_on", "method", "arch", "schedule", "start_run", "failure")
_NEEDED = ("run", "seed", "epoch", "final", "schedule", "share", "start_run", "steps")
_SPECTRUM, _TRAINING = matching(INSIDE.spectrum), matching(INSIDE.training)

Key = tuple[str, int, int]  # run, seed, epoch


def read_summary(path: Path) -> pd.DataFrame:
    """tables/summary.csv with text as text, empty cells as missing, and `diverged` always there.

    Raises UserError if the file is missing, is no CSV or lacks a column.
    """
    table = read_csv(path, dict.fromkeys(_TEXT, str))
    missing = [column for column in _NEEDED if column not in table]
    if missing:
        raise UserError(f"{path}: column {missing[0]!r} is missing; build the summary again")
    diverged = _flags(path, table["diverged"]) if "diverged" in table else False
    return table.assign(final=_flags(path, table["final"]), diverged=diverged)


def select(
    summary: pd.DataFrame, runs: Sequence[PlottedRun], epoch: int | Literal["all"] | None = None
) -> pd.DataFrame:
    """The rows of these runs at one epoch (None: each run's last; or all), in the order of `runs`.

    Adds the column `label`. Raises UserError for a run that has no such row, and for labels that
    would not be told apart.
    """
    at = summary["final"] if epoch is None else (summary["epoch"] == epoch) | (epoch == "all")
    parts = []
    for run in runs:
        rows = summary[at & (summary["run"] == run.name)]
        if rows.empty:
            where = "at its last epoch" if epoch is None else f"at epoch {epoch}"
            raise UserError(
                f"the summary has no row of run {run.name!r} {where}; "
                "take the run out of the figure or evaluate that epoch"
            )
        parts.append(rows.sort_values(["epoch", "seed"]))
    chosen = pd.concat(parts, ignore_index=True)
    labels = _labels(chosen, runs)
    if len(set(labels.values())) < len(labels):
        raise UserError(f"two runs of the figure share a label: {', '.join(labels.values())}")
    chosen = chosen.assign(label=chosen["run"].map(labels))
    curves = {run.name: run.curve for run in runs}
    return chosen.assign(curve=chosen["run"].map(curves)) if any(curves.values()) else chosen


def untrained(summary: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of epoch 0, the network before training, of the runs in `rows`; none may be there.

    None either where `rows` are of that epoch themselves.
    """
    before = summary[(summary["epoch"] == 0) & summary["run"].isin(rows["run"])]
    return before[~before["diverged"] & bool((rows["epoch"] > 0).all())]


def with_untrained(
    spec: Figure, summary: pd.DataFrame, paths: Sequence[Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the figure's runs at their last epoch, and those before training."""
    rows = select(summary, spec.runs)
    return rows, untrained(summary, rows)


def own_shares(rows: pd.DataFrame) -> bool:
    """Whether the runs are a sweep over data: more than one, each with a share of its own."""
    per_run = rows.groupby("run")["share"].first()
    return len(per_run) > 1 and per_run.nunique() == len(per_run)


def require_numbers(rows: pd.DataFrame, column: str) -> None:
    """Raise UserError unless the column exists, is numeric and has at least one value.

    Where every run has diverged no value is needed: the figure then shows just that.
    """
    if column not in rows or not pd.api.types.is_numeric_dtype(rows[column]):
        numeric = rows.select_dtypes("number").columns
        raise UserError(
            f"the summary has no numbers in column {column!r}; it has: {', '.join(numeric)}"
        )
    found = np.isfinite(rows[column].to_numpy(dtype=np.float64))
    if not found.any() and not rows["diverged"].all():
        raise UserError(
            f"column {column!r} of the summary is empty for every run of the figure; "
            "a k-NN column is empty where there are fewer than k neighbours"
        )


def failures(rows: pd.DataFrame) -> list[str]:
    """Why each training failed, "" where the summary does not say."""
    if "failure" not in rows:
        return [""] * len(rows)
    return [reason if isinstance(reason, str) else "" for reason in rows["failure"]]


def read_spectra(paths: Iterable[Path], wanted: Iterable[Key]) -> dict[Key, pd.DataFrame]:
    """The spectrum of every wanted (run, seed, epoch), found by its path's last four parts.

    Paths end in runs/{run}/seed{k}/epoch{e}/spectrum.csv. Each table gains `above_noise_floor`
    where the file has none. Raises UserError for a wanted spectrum that no path holds, a path that
    does not end so, and a damaged file.
    """
    found = {_key(path): path for path in paths if not _TRAINING.search(path.as_posix())}
    spectra = {}
    for key in wanted:
        if key not in found:
            run, seed, epoch = key
            raise UserError(f"no spectrum of run {run!r}, seed {seed}, epoch {epoch} was given")
        spectra[key] = _read_spectrum(found[key])
    return spectra


def read_trainings(
    paths: Iterable[Path], wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], pd.DataFrame]:
    """training.csv of every wanted (run, seed), found by its path's last three parts.

    Raises UserError for one that no path is of, and for a damaged file.
    """
    found = {}
    for path in paths:
        if match := _TRAINING.search(path.as_posix()):
            found[match["run"], int(match["seed"])] = path
    missing = [key for key in wanted if key not in found]
    if missing:
        raise UserError(f"no training.csv of run {missing[0][0]!r}, seed {missing[0][1]} was given")
    tables = {key: read_csv(found[key], {}) for key in wanted}
    for key, table in tables.items():
        if "epoch" not in table:
            raise UserError(f"{found[key]}: column 'epoch' is missing; train the run again")
    return tables


def _labels(rows: pd.DataFrame, runs: Sequence[PlottedRun]) -> Mapping[str, str]:
    shares = rows.groupby("run")["share"].first()
    curve = {run.name: run.curve for run in runs}
    # a sweep for each curve: its share of the data is enough to tell a run of it from the others
    groups = rows.groupby(rows["run"].map(curve), dropna=False)
    swept = {name for _, part in groups if own_shares(part) for name in part["run"]}
    several = len(set(curve.values())) > 1
    return {
        run.name: run.label
        or (
            (f"{run.curve}, " if several and run.curve else "") + f"{shares[run.name]:g} %"
            if run.name in swept and (several or len(swept) == len(curve))
            else run.name
        )
        for run in runs
    }


def _key(path: Path) -> Key:
    match = _SPECTRUM.search(path.as_posix())
    if match is None:
        raise UserError(f"{path}: a spectrum's path ends in runs/RUN/seedK/epochE/spectrum.csv")
    return match["run"], int(match["seed"]), int(match["epoch"])


def _read_spectrum(path: Path) -> pd.DataFrame:
    table = read_csv(path, {})
    needed = ("index", "singular_value", "normalized", "cumulative")
    missing = [column for column in needed if column not in table]
    if missing or table.empty:
        what = f"column {missing[0]!r} is missing" if missing else "it has no rows"
        raise UserError(f"{path}: {what}; compute the spectrum again")
    above = table["singular_value"] > 0  # the logarithm of a zero cannot be drawn
    if "above_noise_floor" in table:
        above &= _flags(path, table["above_noise_floor"])
    return table.assign(above_noise_floor=above)


def read_csv(path: Path, text: Mapping[str, type[str]]) -> pd.DataFrame:
    """A CSV file of ours, these columns as text; UserError if it is missing or damaged."""
    # By default pandas also takes names such as "None" and "NA" for missing cells.
    try:
        return pd.read_csv(
            path,
            dtype=dict(text),
            keep_default_na=False,
            na_values=[""] if text else ["", "nan"],
        )
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, EmptyDataError, ParserError, ValueError) as error:
        raise UserError(f"{path}: not a readable CSV file ({error}); build it again") from None


def _flags(path: Path, column: pd.Series) -> pd.Series:
    values = (
        column.astype(str).str.lower().map({"true": True, "false": False, "1": True, "0": False})
    )
    if values.isna().any():
        raise UserError(f"{path}: column {column.name!r} must hold True or False; build it again")
    return values.astype(bool)
