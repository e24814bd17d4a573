"""What one model cannot see: references between datasets, runs and figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ssl_collapse.config.experiment import Experiment, RunConfig
from ssl_collapse.config.figures import Figure, SpectraFigure
from ssl_collapse.config.reading.keys import suggestion
from ssl_collapse.config.reading.messages import Problem, shown
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.views.schedule import check_subsets, steps_per_epoch

LeftOut = Mapping[str, Sequence[str]]
# What the summary has of k-NN; that is known without reading any result.
KNN_COLUMNS = (
    *(f"knn_{metric}_{k}" for metric in ("cosine", "l2") for k in ("k1", "k20", "k200", "oracle")),
    *(f"knn_cosine_weighted_{k}" for k in ("k20", "k200")),
)
_OF_SPECTRUM = (
    *("auc", "rankme", "effective_rank", "participation_ratio", "nesum"),
    *("alpha", "alpha_r2", "numerical_rank"),
)
MEASURE_COLUMNS = (
    *_OF_SPECTRUM,
    *(f"{name}_l2" for name in _OF_SPECTRUM),
    *("auc_low", "auc_high", "std_per_dimension", "mean_cosine", "uniformity", "loss"),
)


def cross_check(experiment: Experiment, left_out: LeftOut | None = None) -> Iterator[Problem]:
    """Every broken reference of the experiment.

    Args:
        left_out: what is wrong and so not in it: section -> names; what refers to that is not
            judged.
    """
    left_out = left_out or {}
    for name, run in experiment.runs.items():
        if run.dataset in left_out.get("datasets", ()):
            continue
        if run.dataset not in experiment.datasets:
            text = _unknown("dataset", run.dataset, experiment.datasets)
            yield Problem(("runs", name, "dataset"), text)
        else:
            yield from _check_subset(experiment, name, run)
        if run.batch_size % experiment.runtime.gpus:
            yield Problem(
                ("runs", name, "batch_size"),
                f"{run.batch_size} cannot be divided among runtime.gpus {experiment.runtime.gpus}",
            )
        if run.start and run.start.run not in left_out.get("runs", ()):
            yield from _check_start(experiment, name, run, left_out)
    yield from _check_cycles(experiment)
    for name, figure in experiment.figures.items():
        for problem in _check_figure(experiment, figure, left_out):
            yield Problem(("figures", name, *problem.path), problem.text)


def _check_figure(experiment: Experiment, figure: Figure, left_out: LeftOut) -> Iterator[Problem]:
    wrong = left_out.get("runs", ())
    known = [*experiment.runs, *experiment.sweeps, *wrong]
    for plotted in figure.runs:
        if plotted.name in wrong:
            continue
        if plotted.name not in known:
            yield Problem(("runs",), _unknown("run", plotted.name, known))
        elif isinstance(figure, SpectraFigure) and figure.epoch != "last":
            for run in experiment.sweeps.get(plotted.name, [plotted.name]):
                if run in wrong:
                    continue
                analyzed = experiment.runs[run].analyzed_epochs()
                if figure.epoch not in analyzed:
                    text = f"`{run}` is analysed at {analyzed}; add {figure.epoch} to its `analyze`"
                    yield Problem(("epoch",), f"{figure.epoch}: {text}")
    if isinstance(figure, SpectraFigure):
        return
    if figure.measure not in MEASURE_COLUMNS:
        yield Problem(("measure",), _unknown("measure", figure.measure, MEASURE_COLUMNS))
    column = figure.accuracy
    if column.startswith("knn_") and column not in KNN_COLUMNS:
        text = f"{shown(column)} is no column of summary.csv{suggestion(column, KNN_COLUMNS)}"
        yield Problem(("accuracy",), text)
    elif column.startswith("probe_") and not experiment.evaluation.probe:
        if "evaluation" in left_out:
            return
        text = f"{shown(column)} needs a linear probe; set evaluation.probe"
        yield Problem(("accuracy",), text)


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"no {kind} is called {shown(name)}{suggestion(name, list(known))}"


def check_size(name: str, run: RunConfig, n: int) -> Iterator[Problem]:
    """Problems of a run on a dataset of n training images."""
    try:
        check_subsets(run, n, run.start.epoch if run.start else 0)
    except UserError as error:
        yield Problem(("runs", name, "batch_size"), str(error))
        return
    if steps_per_epoch(run, n) < 1:
        yield Problem(("runs", name, "batch_size"), f"{run.batch_size} exceeds the {n} images")


def _check_subset(experiment: Experiment, name: str, run: RunConfig) -> Iterator[Problem]:
    images = experiment.datasets[run.dataset].source.known_train_images()
    if images is not None:
        yield from check_size(name, run, images)


def _check_start(
    experiment: Experiment, name: str, run: RunConfig, left_out: LeftOut
) -> Iterator[Problem]:
    assert run.start is not None
    path = ("runs", name, "start")
    parent = experiment.runs.get(run.start.run)
    if parent is None:
        if run.start.run in experiment.sweeps:
            names = ", ".join(experiment.sweeps[run.start.run])
            yield Problem(
                (*path, "run"), f"`{run.start.run}` is a sweep; name one of its runs: {names}"
            )
        else:
            known = [*experiment.runs, *left_out.get("runs", ())]
            yield Problem((*path, "run"), _unknown("run", run.start.run, known))
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
                    yield Problem(("runs", cycle[0], "start"), text)
                reported |= set(cycle)
                break
            chain.append(start.run)
