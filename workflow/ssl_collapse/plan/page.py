"""What a figure owes to the others of its page, which is the report: all figures of the config."""

from collections.abc import Mapping

from ssl_collapse.config.experiment import Experiment, RunConfig
from ssl_collapse.config.figures import Figure, Judging, SpectraFigure, TwoPanels
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.shares import share


def on_page(experiment: Experiment, name: str) -> Figure:
    """A figure with what its config leaves to the page: spectra draw the AUC where no other figure
    does, and verdicts are corrected for all comparisons of the page."""
    figures = {n: _with_auc(figure, experiment) for n, figure in experiment.figures.items()}
    figure = figures[name]
    if isinstance(figure, Judging) and figure.claims is None:
        counts = {n: comparisons(one, experiment.runs) for n, one in figures.items()}
        whole = sum(counts.values()) if counts[name] else 1  # what judges nothing is not corrected
        return figure.model_copy(update={"claims": whole if whole > 1 else None})
    return figure


def _with_auc(figure: Figure, experiment: Experiment) -> Figure:
    """Spectra without the AUC where another figure has that panel, of the same runs."""
    if not isinstance(figure, SpectraFigure) or figure.auc is not None or figure.epoch != "last":
        return figure
    elsewhere = any(
        isinstance(other, TwoPanels)
        and other.kind != "forecast"
        and other.measure == "auc"
        and {run.name for run in other.runs} == {run.name for run in figure.runs}
        for other in experiment.figures.values()
    )
    return figure.model_copy(update={"auc": False}) if elsewhere else figure


def comparisons(figure: Figure, trainings: Mapping[str, RunConfig]) -> int:
    """How many comparisons a figure's caption judges, as far as the config tells: numbers of steps
    that differ, or a run that diverged, may leave fewer.

    trainings: the config's, by name; any other run of the figure was trained elsewhere.
    """
    known = [trainings[run.name] for run in figure.runs if run.name in trainings]
    hybrids = sum(run.start is not None for run in known)
    schedules = [run.schedule for run in known if run.start is None]
    single_pass = schedules.count("current") == schedules.count("iid") == 1
    directed = isinstance(figure, TwoPanels) and quantity(figure.measure).collapse != 0
    match figure.kind:
        case "spectra" if figure.auc is not False:
            swept = sum(len(curve) == len(set(curve)) > 1 for curve in _shares(figure, trainings))
            return swept or int(single_pass and not any(run.curve for run in figure.runs))
        case "shares":
            return (1 + directed) * sum(len(set(curve)) > 1 for curve in _shares(figure, trainings))
        case "schedules" if single_pass:
            return directed + 2 * (hybrids == 1)  # the hybrid is compared with two runs
        case "switches":
            return hybrids * (len(figure.runs) - hybrids)
        case "sizes" if directed and len(figure.runs) > 1:
            return 2
    return 0


def _shares(figure: Figure, trainings: Mapping[str, RunConfig]) -> list[list[float]]:
    """The shares of the data of each curve whose runs are all trained here, with known steps."""
    curves: dict[str | None, list[RunConfig | None]] = {}
    for run in figure.runs:
        curves.setdefault(run.curve, []).append(trainings.get(run.name))
    return [
        [share(run, run.start.epoch if run.start else 0) for run in runs if run]
        for runs in curves.values()
        if all(runs)
    ]
