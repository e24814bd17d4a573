"""The specs of all stages of the shipped configs, as the files in `golden/` have them.

`python tests/unit/plan/golden_specs.py` writes these files anew, and so accepts every change. A
changed spec makes its stage's results of all users again: that belongs into the changelog.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.canonical import canonical

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "configs").glob("*.yaml"))]
CONFIGS.remove(ROOT / "configs/published.yaml")  # its specs are those of files to be had elsewhere
ALL = "all jobs"  # what they have in common is written once

Specs = dict[str, dict[str, Any]]  # stage -> job -> spec


def specs_of(config: Path) -> Specs:
    """The spec of every job of a config file."""
    content = yaml.safe_load(config.read_text("utf-8"))
    return specs_of_plan(Plan(load_experiment(content, [config])))


def specs_of_plan(plan: Plan) -> Specs:
    """The spec of every job of an experiment."""
    stages: Specs = {}
    for stage, job, spec in _jobs(plan):
        stages.setdefault(stage, {})[job] = spec
    return stages


def _jobs(plan: Plan) -> Iterator[tuple[str, str, Any]]:
    experiment = plan.experiment
    for name, dataset in experiment.datasets.items():
        if dataset.source.kind == "textures":
            yield "textures", name, plan.textures(name)
        yield "dataset", name, plan.dataset(name)
        yield "pack", name, plan.pack(name)
    for name, run in experiment.runs.items():
        for seed in run.seeds:
            yield "ordering", f"{run.dataset} seed{seed}", plan.ordering(run.dataset, seed)
            yield "pretrain", f"{name} seed{seed}", plan.pretrain(name, seed)
        yield "represent", name, plan.represent(name)
        if experiment.evaluation.probe:
            yield "probe", name, plan.probe(name)
    for point, row in zip(plan.points, plan.summarize(), strict=True):
        yield "summarize", f"{point.run} seed{point.seed} epoch{point.epoch}", row
        job = f"epoch{point.epoch}"
        yield "export_checkpoint", job, plan.export_checkpoint(point.epoch)
    yield "collapse", ALL, plan.collapse()
    yield "knn", ALL, plan.knn()
    for name in experiment.figures:
        yield "figure", name, plan.figure(name)
    yield "report", ALL, plan.report()


def compact(specs: Specs) -> Specs:
    """Flat keys; those that all jobs of a stage share stand once, under `all jobs`."""
    result: Specs = {}
    for stage, jobs in specs.items():
        flat = {job: dict(_flat(spec)) for job, spec in jobs.items()}
        first, *others = flat.values()
        shared = {
            key: value
            for key, value in first.items()
            if all(key in other and _same(other[key], value) for other in others)
        }
        own = {
            job: {k: v for k, v in keys.items() if k not in shared} for job, keys in flat.items()
        }
        result[stage] = {ALL: shared, **{job: keys for job, keys in own.items() if job != ALL}}
    return result


def whole(written: Specs) -> Specs:
    """All keys of every job again, still flat."""
    result: Specs = {}
    for stage, jobs in written.items():
        shared = jobs[ALL]
        result[stage] = {job: {**shared, **keys} for job, keys in jobs.items() if job != ALL}
        result[stage] = result[stage] or {ALL: shared}
    return result


def differences(before: Specs, after: Specs) -> list[str]:
    """Each spec that is not the same, with its keys."""
    lines = []
    for stage in sorted({*before, *after}):
        old, new = before.get(stage, {}), after.get(stage, {})
        for job in dict.fromkeys((*old, *new)):
            was, now = old.get(job, {}), new.get(job, {})
            for key in dict.fromkeys((*was, *now)):
                if key not in was or key not in now or not _same(was[key], now[key]):
                    change = f"{was.get(key, 'absent')!r} -> {now.get(key, 'absent')!r}"
                    lines.append(f"{stage}, {job}: {key} {change}")
    return lines


def _flat(spec: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _same(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)  # 1, 1.0 and true are not the same


def text(specs: Specs) -> str:
    """What a file of `golden/` holds."""
    header = "# Written by: python tests/unit/plan/golden_specs.py\n"
    return header + yaml.safe_dump(compact(specs), sort_keys=False, default_flow_style=None)


if __name__ == "__main__":
    for config in CONFIGS:
        (GOLDEN / config.name).write_text(text(specs_of(config)), "utf-8")
