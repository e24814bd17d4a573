"""What an experiment will take: jobs, hours, disk and memory, from rates that were measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssl_collapse.config.dataset import PUBLISHED
from ssl_collapse.config.experiment import RunConfig
from ssl_collapse.plan.specs import Plan
from ssl_collapse.views.schedule import steps_per_epoch

RATIO = 4 / 3  # of the longer to the shorter side of a photograph
JPEG_BYTES = 0.25  # per pixel, at quality 90


@dataclass(frozen=True)
class Network:
    """What a training's network takes, measured: seconds of a step, images per second forward.

    parameters: of the whole model, trained or not; dim: of a representation; step_bytes: what a
    step keeps for its backward pass.
    """

    step_seconds: float
    forward_per_second: float
    parameters: int
    dim: int
    step_bytes: float = 0.0


@dataclass(frozen=True)
class Rates:
    """What one process does in a second: images decoded, operations of matrix products."""

    decode: float
    float32: float
    float64: float


@dataclass(frozen=True)
class Line:
    """One stage: how many jobs, their hours in all, GB that they leave, GB of memory of one."""

    stage: str
    jobs: int
    hours: float
    disk: float = 0.0
    memory: float = 0.0


def counts(plan: Plan, given: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int] | None]:
    """(training, validation) images of every dataset: as given, or as known; else None."""
    counted: dict[str, tuple[int, int] | None] = {}
    for name in plan.used_datasets():
        dataset = plan.experiment.datasets[name]
        known = dataset.source.expected_images() or PUBLISHED.get(name)
        counted[name] = given.get(name, known if dataset.subset is None else None)
    return counted


def estimate(
    plan: Plan, images: Mapping[str, tuple[int, int]], networks: Mapping[str, Network], rates: Rates
) -> list[Line]:
    """A line for each stage that takes time or room.

    images: (training, validation) images of every dataset. networks: by run; one that has none
    takes nothing, nor do runs of files.
    """
    files, metrics = plan.experiment.files, len(plan.experiment.evaluation.knn.metrics)
    points = [p for p in plan.points if p.run in networks and p.run not in files]
    full = [probe.epochs for probe in plan.probes.values() if probe.mode == "full"]
    forward = values = moments = search = probing = 0.0
    for point in points:
        (train, val), network = images[plan.evaluated_on(point.run)], networks[point.run]
        forward += (train + val) / network.forward_per_second
        values += (train + val) * network.dim
        moments += 4 * train * network.dim**2  # two second moments, as much again for the rest
        search += metrics * 2 * train * val * network.dim
        probing += sum(epochs * train + val for epochs in full) / network.forward_per_second
    n = len(points)
    return [
        _packing(plan, images, rates.decode),
        _training(plan, images, networks),
        Line("represent", 2 * n, forward / 3600, 4 * values / 1e9, 2),
        Line("collapse", n, moments / rates.float64 / 3600, 0, 2),
        Line("knn", n, search / rates.float32 / 3600, 0, 4),
        *([Line("probe", n, probing / 3600, 0, 4)] if full else []),
    ]


def _packing(plan: Plan, images: Mapping[str, tuple[int, int]], rate: float) -> Line:
    size = sum(sum(pair) * _packed_bytes(plan, name) for name, pair in images.items())
    total = sum(map(sum, images.values()))
    hours = 2 * total / rate / 3600  # once to check every image, once to pack it
    return Line("dataset, pack", 3 * len(images), hours, size / 1e9, 4)


def _packed_bytes(plan: Plan, name: str) -> float:
    """Of one image."""
    pack, dataset = plan.pack(name), plan.experiment.datasets[name]
    source = dataset.source
    if pack["shorter_side"] is None and source.users_own:
        return source.file_bytes()
    side = pack["shorter_side"] or dataset.sizes()[0]
    pixels = side * side * (RATIO if source.users_own else 1)
    return pixels * (JPEG_BYTES if pack.get("jpeg_quality") else 3)


def _training(
    plan: Plan, images: Mapping[str, tuple[int, int]], networks: Mapping[str, Network]
) -> Line:
    seconds, size, most, jobs = 0.0, 0.0, 0.0, 0
    for name, run in plan.experiment.runs.items():
        network, seeds = networks[name], len(run.seeds)
        seconds += seeds * _steps(run, images) * network.step_seconds
        kept = sum(run.has_checkpoint(epoch) for epoch in range(run.epochs + 1))
        state = 2 if run.optimizer != "adamw" else 3  # weights, and what the optimiser remembers
        size += seeds * kept * state * 4 * network.parameters
        most = max(most, (4 * (state + 1) * network.parameters + network.step_bytes) / 1e9)
        jobs += seeds
    return Line("pretrain", jobs, seconds / 3600, size / 1e9, 1.5 + most)


def _steps(run: RunConfig, images: Mapping[str, tuple[int, int]]) -> int:
    first = run.start.epoch if run.start else 0
    return steps_per_epoch(run, images[run.dataset][0]) * (run.epochs - first)


def trainings_table(
    plan: Plan, images: Mapping[str, tuple[int, int]], networks: Mapping[str, Network]
) -> str:
    """A line for each run: what one of its trainings takes."""
    rows: list[tuple[Any, ...]] = [("one training of", "epochs", "images/s", "hours")]
    for name, run in plan.experiment.runs.items():
        seconds = networks[name].step_seconds
        hours = _steps(run, images) * seconds / 3600
        rows.append((name, run.epochs, _short(run.batch_size / seconds), _short(hours)))
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{a:<{width}}{b:>8}{c:>12}{d:>12}" for a, b, c, d in rows)


def table(lines: list[Line]) -> str:
    """The lines as text, with their sums."""
    rows: list[tuple[Any, ...]] = [("stage", "jobs", "hours", "disk GB", "memory GB")]
    rows += [
        (line.stage, line.jobs, _short(line.hours), _short(line.disk), _short(line.memory))
        for line in lines
    ]
    total = [sum(getattr(line, name) for line in lines) for name in ("jobs", "hours", "disk")]
    rows.append(("all", total[0], *map(_short, total[1:]), _short(max(li.memory for li in lines))))
    return "\n".join(f"{a:<14}{b:>8}{c:>12}{d:>12}{e:>12}" for a, b, c, d, e in rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value else "0"
