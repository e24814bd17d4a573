"""How long a plan will take here, before it starts: from earlier trainings, or a first guess.

`make estimate` measures; this costs no more than to read what lies there.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from ssl_collapse.config.paths import INSIDE, fill
from ssl_collapse.plan.estimate import Network, Rates, counts, estimate
from ssl_collapse.plan.specs import Plan

START = 3.5  # seconds until a job's Python has loaded torch
CPU_FLOPS, GPU_FLOPS = 3e10, 2e13  # per second, of trainings, about
RATES = Rates(100.0, 3e10, 1.5e10)  # of one process, about: photographs, matrix products
# Multiply-adds (in 10^9) of one image of 224 px.
GIGA = {
    "resnet18": 1.8, "resnet34": 3.7, "resnet50": 4.1, "resnet101": 7.8, "resnet152": 11.5,
    "wide_resnet50_2": 11.4, "wide_resnet101_2": 22.8, "resnext50_32x4d": 4.2,
    "resnext101_32x8d": 16.4, "resnext101_64x4d": 15.5, "vit_small": 4.6, "vit_base": 17.6,
}  # fmt: skip
UNKNOWN = 4.0  # of a model of timm


def duration(
    plan: Plan, jobs: Mapping[str, int], results: Path, parallel: int, gpus: int
) -> tuple[float, bool] | None:
    """Seconds that a plan will take, and whether trainings here have told their speed.

    jobs: how many are to run, by rule. results: a folder; what is there is taken into account.
    parallel: how many run side by side. gpus: how many of them on GPUs; 0: all on cores.

    None where the images have not been counted yet.
    """
    images = counts(plan, _counted(plan, results))
    known = {name: pair for name, pair in images.items() if pair is not None}
    starting = START * sum(jobs.values()) / parallel
    if not images:  # representations and spectra from elsewhere: soon measured
        return starting, False
    if len(known) < len(images):
        return None
    rates = speeds(plan, results)
    rate = median(rates.values()) if rates else (GPU_FLOPS if gpus else CPU_FLOPS)
    runs = {point.run for point in plan.points}
    networks = {run: network(plan, run, rates.get(run, rate)) for run in runs}
    work = 0.0
    for line in estimate(plan, known, networks, RATES):
        wanted = sum(jobs.get(rule.strip(), 0) for rule in line.stage.split(","))
        at_once = min(gpus or parallel, parallel) if line.stage == "pretrain" else parallel
        work += 3600 * line.hours * min(wanted / max(line.jobs, 1), 1) / at_once
    return work + starting, bool(rates)


def network(plan: Plan, run: str, rate: float) -> Network:
    """What a run's network takes at `rate` floating-point operations per second."""
    config = plan.experiment.runs.get(run)
    if config is None:  # trained elsewhere
        return Network(0.0, rate / (2e9 * UNKNOWN), 0, 2048)
    crop = plan.experiment.datasets[config.dataset].sizes()[1]
    once = 2 * macs(config.backbone, crop)
    return Network(config.batch_size * 6 * once / rate, rate / once, 0, 512)


def macs(backbone: Any, crop: int) -> float:
    """Multiply-adds of one image of `crop` px, about."""
    if backbone.arch == "small_resnet":
        side, channels = crop / backbone.stem_stride, backbone.width
        total: float = 27 * channels * side**2  # the stem
        for i, blocks in enumerate(backbone.blocks):
            out = backbone.width * 2**i
            side = side / 2 if i else side
            total += 9 * out * (channels + (2 * blocks - 1) * out) * side**2
            channels = out
        return total
    giga = GIGA.get(backbone.arch, UNKNOWN) * (crop / 224) ** 2
    return 1e9 * giga * (16 if getattr(backbone, "small_image_stem", False) else 1)


def speeds(plan: Plan, results: Path) -> dict[str, float]:
    """Floating-point operations per second of the runs that have been trained here."""
    by_run = {}
    for name, run in plan.experiment.runs.items():
        rates = [
            rate
            for seed in run.seeds
            for rate in _images_per_second(results / fill(INSIDE.speed, run=name, seed=seed))
        ]
        if rates:
            crop = plan.experiment.datasets[run.dataset].sizes()[1]
            by_run[name] = median(rates) * 12 * macs(run.backbone, crop)
    return by_run


def _images_per_second(path: Path) -> Iterable[float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [float(row["images_per_second"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError):
        return []


def _counted(plan: Plan, results: Path) -> dict[str, tuple[int, int]]:
    """(training, validation) images of the datasets that have been described."""
    counted = {}
    for name in plan.used_datasets():
        try:
            path = results / fill(INSIDE.description, dataset=name)
            content = json.loads(path.read_text("utf-8"))
            train, val = (int(content["splits"][s]["images"]) for s in ("train", "val"))
            counted[name] = (train, val)
        except (OSError, KeyError, TypeError, ValueError):
            continue
    return counted
