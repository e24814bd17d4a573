"""What was run: recipes, measurements, codes; and of this machine, versions and times."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ssl_collapse.config.paths import INSIDE
from ssl_collapse.figures.inputs import read_csv
from ssl_collapse.runtime.errors import UserError

MEASURING = ("represent", "collapse", "knn", "probe", "view_measures")  # stages
TOGETHER = 60  # seconds between two files of one job


@dataclass(frozen=True)
class WhatRan:
    """By sidecars `recipes` (run -> spec) and `stages` (codes and specs of each); `environment` and
    `times` are those of machines, and alone differ where the same is computed again."""

    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stages: Mapping[str, tuple[list[str], list[Any]]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    times: list[tuple[str, str, str, str]] = field(default_factory=list)
    total: str = ""


def recipe_tables(
    recipes: Mapping[str, Mapping[str, Any]],
) -> tuple[list[list[str]], list[str], list[list[str]]]:
    """Keys and values that all trainings share; then heads and rows of what differs, by run."""
    flat = {run: dict(_flat(spec)) for run, spec in recipes.items()}
    keys = list(dict.fromkeys(key for spec in flat.values() for key in spec))
    values = {key: [spec.get(key, "") for spec in flat.values()] for key in keys}
    shared = [[key, values[key][0]] for key in keys if len(set(values[key])) == 1]
    differing = [key for key in keys if len(set(values[key])) > 1]
    rows = [[run, *(flat[run].get(key, "") for key in differing)] for run in flat]
    return shared, ["Run", *differing], rows if differing else []


def measurements(stages: Mapping[str, tuple[list[str], list[Any]]]) -> list[list[str]]:
    """Stage, and keys with their values, of every way that encoders were measured."""
    return [
        [stage, "; ".join(f"{key}: {value}" for key, value in _flat(spec)) or "no settings"]
        for stage in MEASURING
        for spec in stages.get(stage, ((), ()))[1]
    ]


def _flat(spec: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def times(trainings: Iterable[Path]) -> tuple[list[tuple[str, str, str, str]], str]:
    """How long trainings took, by their speed.csv: run, trainings, hours, images per second.

    trainings: RUN/seedK/training.csv. A speed.csv that was not written with its training.csv
    (which came from the store, or was trained again) says nothing of it, and is left out.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    unknown = 0
    for path in trainings:
        speed = _speed(path)
        if speed is None:
            unknown += 1
        else:
            found.setdefault(path.parts[-3], []).append(speed)
    rows, seconds = [], 0.0
    for run, speeds in found.items():
        whole = pd.concat(speeds)
        seconds += whole["seconds"].sum()
        fast = (whole["images_per_second"] * whole["seconds"]).sum() / whole["seconds"].sum()
        rows.append((run, str(len(speeds)), _duration(whole["seconds"].sum()), f"{fast:,.0f}"))
    total = f"Training took {_duration(seconds)} in all, one after another." if rows else ""
    if unknown:
        total += f" Of {unknown} trainings it is not known: they are not of this folder."
    return rows, total.strip()


def _speed(training: Path) -> pd.DataFrame | None:
    path = training.with_name(Path(INSIDE.speed).name)
    try:
        if abs(path.stat().st_mtime - training.stat().st_mtime) > TOGETHER:
            return None
        speed, epochs = read_csv(path, {}), read_csv(training, {})["epoch"]
        same = speed["epoch"].tolist() == epochs.tolist() and (speed["seconds"] > 0).all()
        return speed[["seconds", "images_per_second"]] if same else None
    except (OSError, UserError, LookupError, TypeError):
        return None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
