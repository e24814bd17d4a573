"""What one model cannot see: references between datasets, runs and figures."""

from collections.abc import Iterator
from difflib import get_close_matches

from ssl_collapse.config.dataset import TexturesSource
from ssl_collapse.config.experiment import Experiment, RunConfig
from ssl_collapse.config.messages import Problem
from ssl_collapse.errors import UserError
from ssl_collapse.training.schedule import check_subsets, steps_per_epoch


def cross_check(experiment: Experiment) -> Iterator[Problem]:
    """Every broken reference of the experiment."""
    for name, run in experiment.runs.items():
        if run.dataset not in experiment.datasets:
            yield Problem(
                f"runs.{name}.dataset", _unknown("dataset", run.dataset, experiment.datasets)
            )
        else:
            yield from _check_subset(experiment, name, run)
        if run.batch_size % experiment.runtime.gpus:
            yield Problem(
                f"runs.{name}.batch_size",
                f"{run.batch_size} cannot be divided among runtime.gpus {experiment.runtime.gpus}",
            )
        if run.start:
            yield from _check_start(experiment, name, run)
    yield from _check_cycles(experiment)
    known = [*experiment.runs, *experiment.sweeps]
    for name, figure in experiment.figures.items():
        for plotted in figure.runs:
            if plotted.name not in known:
                yield Problem(f"figures.{name}.runs", _unknown("run", plotted.name, known))


def _unknown(kind: str, name: str, known: object) -> str:
    names = [str(n) for n in known]  # type: ignore[attr-defined]
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else f"; there are: {', '.join(names)}"
    return f"no {kind} is called `{name}`{hint}"


def check_size(name: str, run: RunConfig, n: int) -> Iterator[Problem]:
    """Problems of a run on a dataset of n training images."""
    try:
        check_subsets(run, n, run.start.epoch if run.start else 0)
    except UserError as error:
        yield Problem(f"runs.{name}.batch_size", str(error))
        return
    if steps_per_epoch(run, n) < 1:
        yield Problem(f"runs.{name}.batch_size", f"{run.batch_size} exceeds the {n} images")


def _check_subset(experiment: Experiment, name: str, run: RunConfig) -> Iterator[Problem]:
    source = experiment.datasets[run.dataset].source
    if isinstance(source, TexturesSource):
        yield from check_size(name, run, source.train_images)


def _check_start(experiment: Experiment, name: str, run: RunConfig) -> Iterator[Problem]:
    assert run.start is not None
    path = f"runs.{name}.start"
    parent = experiment.runs.get(run.start.run)
    if parent is None:
        if run.start.run in experiment.sweeps:
            names = ", ".join(experiment.sweeps[run.start.run])
            yield Problem(
                f"{path}.run", f"`{run.start.run}` is a sweep; name one of its runs: {names}"
            )
        else:
            yield Problem(f"{path}.run", _unknown("run", run.start.run, experiment.runs))
        return
    if not parent.has_checkpoint(run.start.epoch):
        yield Problem(
            f"{path}.epoch",
            f"{run.start.epoch}: `{run.start.run}` has checkpoints {parent.describe_checkpoints()}",
        )
    missing = sorted(set(run.seeds) - set(parent.seeds))
    if missing:
        yield Problem(
            f"runs.{name}.seeds",
            f"`{run.start.run}`, which this run starts from, lacks seeds {missing}; add them there",
        )
    for key in ("backbone", "method", "optimizer"):
        if getattr(run, key) != getattr(parent, key):
            yield Problem(
                f"runs.{name}.{key}",
                f"differs from `{run.start.run}`, whose checkpoint this run starts from",
            )


def _check_cycles(experiment: Experiment) -> Iterator[Problem]:
    reported: set[str] = set()
    for name in experiment.runs:
        chain = [name]
        while (start := experiment.runs[chain[-1]].start) and start.run in experiment.runs:
            if start.run in chain:
                cycle = chain[chain.index(start.run) :]
                if not reported & set(cycle):
                    path = " -> ".join([*cycle, start.run])
                    text = f"the runs start from each other: {path}"
                    yield Problem(f"runs.{cycle[0]}.start", text)
                reported |= set(cycle)
                break
            chain.append(start.run)
