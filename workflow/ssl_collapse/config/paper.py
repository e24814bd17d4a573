"""`figures: paper`: every figure of the paper's story that the runs of an experiment allow."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from ssl_collapse.config.figures import Figure
from ssl_collapse.config.pretrain import Recipe

PAPER = "paper"
_ADAPTER: TypeAdapter[Figure] = TypeAdapter(Figure)
_DATA = {"schedule", "share", "chunk_size", "n_rounds", "steps_per_epoch"}
FEWEST_RUNS = 5  # that a forecast takes

# name of the figure -> what runs it takes
WANTED = {
    "spectra": "two or more runs that differ in their share of the data alone",
    "shares": "two or more runs that differ in their share of the data alone",
    "schedules": "an iid and a `current` run that are otherwise alike",
    "switches": "two or more hybrids (`start`) of one run that switch at different epochs",
    "sizes": "two or more iid runs that differ in their backbone alone",
    "methods": "iid runs of two or more methods on one dataset with one backbone",
    "dynamics": "a run with two or more epochs under `analyze`",
    "forecast": f"{FEWEST_RUNS} or more runs of one method",
    "ranking": f"{FEWEST_RUNS} or more runs of one method",
}


def paper_figures(runs: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures that these trainings (by name, in the config's order) allow, by name."""
    scratch = {name: run for name, run in runs.items() if run.start is None}
    iid = {name: run for name, run in scratch.items() if run.schedule == "iid"}
    swept = {n: r for n, r in scratch.items() if r.schedule in ("iid", "last")}
    shares = _alike(swept, _DATA)
    whole = [n for n in scratch if scratch[n].schedule in ("iid", "current", "accumulate")]
    schedules = _alike({name: scratch[name] for name in whole}, _DATA)
    hybrids = [n for n, r in runs.items() if r.start and r.start.run in schedules]
    if not {"iid", "current"} <= {runs[name].schedule for name in schedules}:
        schedules = []
    switches = _switches(runs, schedules)
    methods = _alike(iid, set(Recipe.model_fields) - {"backbone", "epochs"})
    methods = list({runs[name].method.name: name for name in reversed(methods)}.values())[::-1]
    single = _most([(run.method.name, name) for name, run in runs.items()])
    analysed = [name for name, run in runs.items() if len(run.analyzed_epochs()) > 1]
    taken = {
        "spectra": shares,
        "shares": _curves(swept, shares),
        "schedules": [*schedules, *hybrids] if schedules else [],
        "switches": switches,
        "sizes": sorted(_alike(iid, {"backbone"}), key=lambda name: _size(iid[name])),
        "methods": methods if len(methods) > 1 else [],
        "dynamics": analysed[:10],
        "forecast": single if len(single) >= FEWEST_RUNS else [],
        "ranking": single if len(single) >= FEWEST_RUNS else [],
    }
    kinds = {"dynamics": "curves"}
    return {
        name: _ADAPTER.validate_python({"kind": kinds.get(name, name), "runs": names})
        for name, names in taken.items()
        if names
    }


def missing_figures(figures: Mapping[str, Figure]) -> list[str]:
    """What runs would bring the figures that are not there: a sentence for each."""
    return [f"{name}: {wanted}" for name, wanted in WANTED.items() if name not in figures]


def _alike(runs: Mapping[str, Any], but: set[str]) -> list[str]:
    """The largest group of runs on one dataset whose recipes are equal but for these keys, which
    differ; the first of equals. Empty where no two are."""
    keys = [(_key(run, but), name) for name, run in runs.items()]
    group = _most(keys)
    distinct = {_key(runs[name], set()) for name in group}
    return group if len(distinct) > 1 else []


def _curves(runs: Mapping[str, Any], sweep: list[str]) -> list[Any]:
    """The sweep over data; with a curve for each backbone where others were swept alike."""
    but = {*_DATA, "backbone"}
    found: dict[str, list[str]] = {}
    for name, run in runs.items():
        if sweep and _key(run, but) == _key(runs[sweep[0]], but):
            found.setdefault(json.dumps(run.backbone.to_spec()), []).append(name)
    backbones = {text: names for text, names in found.items() if len(names) > 1}
    if len(backbones) < 2:
        return sweep
    specs = [json.loads(text) for text in backbones]
    keys = [k for k in dict.fromkeys(k for spec in specs for k in spec)
            if any(spec.get(k) != specs[0].get(k) for spec in specs)]  # fmt: skip
    return [
        {"name": name, "curve": ", ".join(f"{k} {spec[k]}" for k in keys if k in spec)}
        for spec, names in zip(specs, backbones.values(), strict=True)
        for name in names
    ]


def _size(run: Any) -> list[float]:
    """What orders models by size, as far as their config tells: its numbers, key by key."""
    numbers = [[v] if isinstance(v, int) else v for v in run.backbone.to_spec().values()]
    digits = "".join(filter(str.isdigit, run.backbone.arch))  # of resnet34
    return [float(digits or 0), *(float(sum(v)) for v in numbers if isinstance(v, list))]


def _key(run: Any, but: set[str]) -> str:
    recipe = {n: v for n, v in run.to_spec().items() if n in Recipe.model_fields and n not in but}
    return json.dumps([run.dataset, recipe], sort_keys=True)


def _most(keys: list[tuple[str, str]]) -> list[str]:
    """The names of the most frequent key."""
    groups: dict[str, list[str]] = {}
    for key, name in keys:
        groups.setdefault(key, []).append(name)
    return max(groups.values(), key=len, default=[])


def _switches(runs: Mapping[str, Any], ends: list[str]) -> list[str]:
    """Hybrids of one run, and the ends that they lie between."""
    group = _most([(r.start.run, n) for n, r in runs.items() if r.start])
    if len({runs[name].start.epoch for name in group}) < 2:
        return []
    source = runs[group[0]].start.run
    iid = [name for name in ends if runs[name].schedule == "iid"]
    return [*iid[:1], *group, source]
