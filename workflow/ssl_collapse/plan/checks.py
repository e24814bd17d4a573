"""What one model cannot see: references between datasets, runs and figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ssl_collapse.config.backbones import vit
from ssl_collapse.config.experiment import EvaluationConfig, Experiment, RunConfig
from ssl_collapse.config.figures import Figure, SpectraFigure
from ssl_collapse.config.methods import distillation
from ssl_collapse.config.reading.keys import listed, nearest, suggestion
from ssl_collapse.config.reading.messages import Problem, shown
from ssl_collapse.plan.checkpoints import UnclearError, analyzed_epochs, files_of
from ssl_collapse.plan.columns import ACCURACIES, MEASURES, accuracy_columns, measure_columns
from ssl_collapse.plan.runs import teacher_of
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import TRAINING
from ssl_collapse.views.schedule import check_subsets, steps_per_epoch

LeftOut = Mapping[str, Sequence[str]]


def cross_check(experiment: Experiment, left_out: LeftOut | None = None) -> Iterator[Problem]:
    """Every broken reference of the experiment.

    left_out: what is wrong and so not in it: section -> names; what refers to that is not judged.
    """
    left_out = left_out or {}
    for name, run in experiment.runs.items():
        if run.dataset in left_out.get("datasets", ()):
            continue
        if run.dataset not in experiment.datasets:
            text = _unknown("dataset", run.dataset, experiment.datasets)
            yield Problem(("runs", name, "dataset"), text)
        else:
            if (images := experiment.datasets[run.dataset].known_train_images()) is not None:
                yield from check_size(name, run, images)
            yield from _check_patches(experiment, name, run)
            yield from _check_evaluation(experiment, name, run, left_out)
        if run.batch_size % experiment.runtime.gpus:
            yield Problem(
                ("runs", name, "batch_size"),
                f"{run.batch_size} cannot be divided among runtime.gpus {experiment.runtime.gpus}",
            )
        if run.start and run.start.run not in left_out.get("runs", ()):
            yield from _check_start(experiment, name, run, left_out)
        if isinstance(run.method, distillation.Config):
            yield from _check_teacher(experiment, name, run, left_out)
    yield from _check_cycles(experiment)
    for name, brought in experiment.checkpoints.items():
        if brought.dataset not in {*experiment.datasets, *left_out.get("datasets", ())}:
            text = _unknown("dataset", brought.dataset, experiment.datasets)
            yield Problem(("checkpoints", name, "dataset"), text)
        try:
            analyzed_epochs(brought)
        except UnclearError as error:
            yield Problem(("checkpoints", name, "checkpoint"), str(error))
    for name, figure in experiment.figures.items():
        for problem in _check_figure(experiment, figure, left_out):
            yield Problem(("figures", name, *problem.path), problem.text)


def _check_figure(experiment: Experiment, figure: Figure, left_out: LeftOut) -> Iterator[Problem]:
    wrong = left_out.get("runs", ())
    known = [*experiment.all_runs(), *experiment.sweeps, *wrong]
    names: list[str] = []
    for plotted in figure.runs:
        if plotted.name in wrong:
            continue
        if plotted.name not in known:
            yield Problem(("runs",), _unknown("run", plotted.name, known))
            continue
        runs = experiment.sweeps.get(plotted.name, [plotted.name])
        for run in runs:
            if run in names:
                text = f"run {run!r} appears twice, once in a sweep; name each run once"
                yield Problem(("runs",), text)
            elif isinstance(figure, SpectraFigure):
                yield from _check_epoch(experiment, run, figure)
        names += runs
    if "evaluation" not in left_out:
        yield from _check_columns(figure, experiment.evaluation)


def _check_epoch(experiment: Experiment, name: str, figure: SpectraFigure) -> Iterator[Problem]:
    if name in experiment.runs:
        analyzed = experiment.runs[name].analyzed_epochs()
    elif name in experiment.checkpoints:
        try:
            analyzed = analyzed_epochs(experiment.checkpoints[name])
        except UnclearError:  # which is reported of the run
            return
    else:
        return
    if figure.epoch != "last" and figure.epoch not in analyzed:
        text = f"`{name}` is analysed at {analyzed}; add {figure.epoch} to its `analyze`"
        yield Problem(("epoch",), f"{figure.epoch}: {text}")


def _check_columns(figure: Figure, evaluation: EvaluationConfig) -> Iterator[Problem]:
    accuracies, measures = accuracy_columns(evaluation), measure_columns(evaluation)
    if accuracy := getattr(figure, "accuracy", None):
        if accuracy.startswith("probe_") and not evaluation.probe:
            text = f"{shown(accuracy)} needs a linear probe; set evaluation.probe"
            yield Problem(("accuracy",), text)
        elif text := _no_column(accuracy, accuracies, ACCURACIES):
            yield Problem(("accuracy",), text)
    measure = getattr(figure, "measure", None)
    if measure and (text := _no_column(measure, measures, MEASURES)):
        yield Problem(("measure",), text)
    for column in getattr(figure, "columns", ()):
        known = [*TRAINING, *measures, *accuracies]
        if text := _no_column(column, known, [*TRAINING, *MEASURES, *ACCURACIES]):
            yield Problem(("columns",), text)


def _no_column(column: str, columns: Sequence[str], possible: Sequence[str]) -> str:
    """What is wrong with a column that there will not be; nothing where there will."""
    if column in columns:
        return ""
    near = None if column in possible else nearest(column, columns)
    hint = f"; did you mean `{near}`?" if near else ";"
    return f"{shown(column)} will not be measured{hint} there will be: {', '.join(columns)}"


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"no {kind} is called {shown(name)}{suggestion(name, list(known))}"


def check_size(name: str, run: RunConfig, n: int) -> Iterator[Problem]:
    """Problems of a run on a dataset of n training images."""
    start = run.start.epoch if run.start else 0
    keys = ("schedule", "share", "chunk_size", "epochs", "n_rounds", "batch_size")
    key = (n, start, run.steps_per_epoch, *(getattr(run, key) for key in keys))
    if key not in _size_problems:  # the runs of a sweep mostly share it, and it takes a while
        _size_problems[key] = _size_problem(run, n, start)
    if text := _size_problems[key]:
        yield Problem(("runs", name, "batch_size"), text)


_size_problems: dict[tuple[Any, ...], str] = {}


def _size_problem(run: RunConfig, n: int, start: int) -> str:
    try:
        check_subsets(run, n, start)
    except UserError as error:
        return str(error)
    return f"{run.batch_size} exceeds the {n} images" if steps_per_epoch(run, n) < 1 else ""


def _check_patches(experiment: Experiment, name: str, run: RunConfig) -> Iterator[Problem]:
    crop = experiment.datasets[run.dataset].sizes()[1]
    if isinstance(run.backbone, vit.Config) and crop % vit.PATCH:
        text = f"{run.backbone.arch} takes patches of {vit.PATCH} px, and the crop is {crop}"
        yield Problem(("runs", name, "backbone"), f"{text}; set the dataset's `crop` to a multiple")


def _check_evaluation(
    experiment: Experiment, name: str, run: RunConfig, left_out: LeftOut
) -> Iterator[Problem]:
    path, on = ("runs", name, "evaluate_on"), run.evaluate_on
    if on in left_out.get("datasets", ()):
        return
    if on is not None and on not in experiment.datasets:
        yield Problem(path, _unknown("dataset", on, experiment.datasets))
    elif not experiment.datasets[on or run.dataset].source.labelled:
        text = f"dataset `{on or run.dataset}` has no labels to measure accuracy with"
        yield Problem(path, f"{text}; name one that has")


def _check_start(
    experiment: Experiment, name: str, run: RunConfig, left_out: LeftOut
) -> Iterator[Problem]:
    assert run.start is not None
    path = ("runs", name, "start")
    parent = experiment.runs.get(run.start.run)
    if parent is None:
        yield _no_such_run(experiment, (*path, "run"), run.start.run, left_out)
        return
    if run.start.run == name or (parent.start and parent.start.run == name):
        return  # a cycle, which is reported as such
    if not parent.has_checkpoint(run.start.epoch):
        yield Problem(
            (*path, "epoch"),
            f"{run.start.epoch}: `{run.start.run}` has checkpoints {parent.describe_checkpoints()}",
        )
    missing = sorted(set(run.seeds) - set(parent.seeds))
    if missing:
        yield Problem(
            ("runs", name, "seeds"),
            f"`{run.start.run}`, which this run starts from, lacks seeds {missing}; add them there",
        )
    for key in ("backbone", "method", "optimizer"):
        if getattr(run, key) != getattr(parent, key):
            yield Problem(
                ("runs", name, key),
                f"differs from `{run.start.run}`, whose checkpoint this run starts from",
            )


def _no_such_run(
    experiment: Experiment, path: tuple[str, ...], name: str, left_out: LeftOut
) -> Problem:
    if name in experiment.sweeps:
        names = listed(experiment.sweeps[name])
        return Problem(path, f"`{name}` is a sweep; name one of its runs: {names}")
    return Problem(path, _unknown("run", name, [*experiment.runs, *left_out.get("runs", ())]))


def _check_teacher(
    experiment: Experiment, name: str, run: RunConfig, left_out: LeftOut
) -> Iterator[Problem]:
    path, teacher = ("runs", name, "method", "teacher"), teacher_of(run)
    if teacher is None:
        text = "missing; name the run and the epoch whose encoder is learned: {run: NAME, epoch: E}"
        yield Problem(path, text)
        return
    if teacher.run in {*left_out.get("runs", ()), *left_out.get("checkpoints", ())}:
        return
    parent = experiment.runs.get(teacher.run)
    if parent:
        seeds, wanted = parent.seeds, run.seeds if teacher.seed is None else [teacher.seed]
        there, has_epoch = parent.describe_checkpoints(), parent.has_checkpoint(teacher.epoch)
    elif teacher.run in experiment.checkpoints:
        seeds, wanted = [0], [teacher.seed or 0]
        try:
            epochs = [0, *files_of(experiment.checkpoints[teacher.run])]
        except UnclearError:  # which is reported of that run
            return
        there, has_epoch = f"of {listed([*map(str, epochs)])}", teacher.epoch in epochs
    else:
        yield _no_such_run(experiment, (*path, "run"), teacher.run, left_out)
        return
    if not has_epoch:
        text = f"{teacher.epoch}: `{teacher.run}` has checkpoints {there}"
        yield Problem((*path, "epoch"), text)
    if missing := sorted(set(wanted) - set(seeds)):
        text = f"`{teacher.run}` has seeds {seeds}, and not {missing}; say one as `seed`"
        yield Problem(path, text)


def _check_cycles(experiment: Experiment) -> Iterator[Problem]:
    """Runs that would wait for each other, as starts or teachers; no circle is named twice."""
    done: set[str] = set()

    def follow(name: str, chain: tuple[str, ...]) -> Iterator[Problem]:
        if name in chain:
            circle = chain[chain.index(name) :]
            text = " -> ".join([*circle, name])
            yield Problem(("runs", name), f"the runs are made from each other: {text}")
        elif name in experiment.runs and name not in done:
            run = experiment.runs[name]
            start, teacher = run.start, teacher_of(run)
            for source in (start and start.run, teacher and teacher.run):
                if source:
                    yield from follow(source, (*chain, name))
            done.add(name)

    for name in experiment.runs:
        yield from follow(name, ())
