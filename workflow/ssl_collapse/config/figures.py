"""What the `figures:` section of the config may say, and what one figure stage receives."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, field_validator

from ssl_collapse.config.types import FreeText, Neutral, StrictModel, Text, from_spec

# A column of tables/summary.csv that holds an accuracy between 0 and 1.
AccuracyColumn = Annotated[str, Field(pattern=r"^((projector_)?knn|probe)_[a-z0-9_]+$")]
# A column of tables/summary.csv that holds a label-free measure.
MeasureColumn = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_]*$")]


class PlottedRun(StrictModel):
    """One run of a figure; without a label the figure derives one from the run's summary rows."""

    name: Text
    """A run, or a sweep, which stands for its runs."""
    label: Text | None = None
    """What the figure calls it; null: derived from the run."""
    curve: Annotated[Text | None, Neutral(None)] = None
    """The curve that it belongs to, where a figure has several; null: one curve for all."""


def _as_run(value: Any) -> Any:
    """A bare run name is short for {name: ...}."""
    return {"name": value} if isinstance(value, str) else value


Run = Annotated[PlottedRun, BeforeValidator(_as_run, json_schema_input_type=Text | PlottedRun)]


class AnyFigure(StrictModel):
    """What figures of every kind may be given."""

    title: Text | None = None
    """Title of the figure; null: what it shows."""
    show_title: Annotated[bool, Neutral(True)] = True
    """Whether the title stands in the figure, and not in the caption alone."""
    width: Annotated[Literal["column", "page"] | None, Neutral(None)] = None
    """For print: 3.3 inches (`column`) or 6.9 (`page`); null: for the screen."""
    font_size: Annotated[Annotated[float, Field(ge=4, le=40)] | None, Neutral(None)] = None
    """Of axis labels in pt, ticks are 1 pt smaller; null: 8 for print, 10 for the screen."""
    font_family: Annotated[Text | None, Neutral(None)] = None
    """A font that matplotlib finds; null: DejaVu Sans, the same on every machine."""
    letters: Annotated[bool | None, Neutral(None)] = None
    """Whether panels are lettered (a), (b), ...; null: where the caption speaks of them."""
    runs: Annotated[list[Run], Field(min_length=1)]
    """The runs shown, in this order: names, or `{name, label}`."""

    @field_validator("runs")
    @classmethod
    def _distinct(cls, runs: list[PlottedRun]) -> list[PlottedRun]:
        for what, values in (
            ("run", [run.name for run in runs]),
            ("label", [run.label for run in runs if run.label is not None]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} appears twice; name each {what} once")
        return runs


class TwoPanels(AnyFigure):
    """What shows an accuracy and a label-free measure side by side."""

    accuracy: AccuracyColumn = "knn_cosine_k20"
    """Column of summary.csv that holds an accuracy."""
    measure: MeasureColumn = "auc"
    """Column of summary.csv that holds a label-free measure."""


class Judging(AnyFigure):
    """What judges claims of the paper in its caption."""

    claims: Annotated[Annotated[int, Field(ge=1)] | None, Neutral(None)] = None
    """For how many comparisons verdicts are corrected; null: those of all the config's figures."""


class SpectraFigure(Judging):
    """The four panels of the paper's Figure 3, at one epoch of every run."""

    kind: Literal["spectra"]
    """`spectra`: the four panels of the paper's Figure 3."""
    epoch: Literal["last"] | Annotated[int, Field(ge=0)] = "last"
    """Finished epochs at which the runs are compared."""
    auc: Annotated[bool | None, Neutral(None)] = None
    """Whether (d), the AUC, is drawn; null: where no other figure has that of the same runs."""


class SharesFigure(TwoPanels, Judging):
    """Accuracy and a label-free measure against the share of data, at the end of every run."""

    kind: Literal["shares"]
    """`shares`: accuracy and a label-free measure against the share of data."""


class SchedulesFigure(TwoPanels, Judging):
    """Accuracy and a label-free measure of each data schedule, at the end of every run."""

    kind: Literal["schedules"]
    """`schedules`: accuracy and a label-free measure of each data schedule."""


class SwitchesFigure(TwoPanels, Judging):
    """Accuracy and a label-free measure of hybrids against the epoch at which they switched."""

    kind: Literal["switches"]
    """`switches`: hybrids by switching epoch; iid stands at 0, their start at its last epoch."""


class SizesFigure(TwoPanels, Judging):
    """Accuracy and a label-free measure of models, from the smallest to the largest."""

    kind: Literal["sizes"]
    """`sizes`: the runs are listed from the smallest model to the largest."""


class MethodsFigure(TwoPanels):
    """Accuracy and a label-free measure of each method."""

    kind: Literal["methods"]
    """`methods`: runs side by side, no claim judged."""


class CurvesFigure(AnyFigure):
    """What becomes of runs as they train: any columns against the epoch."""

    kind: Literal["curves"]
    """`curves`: columns of training.csv or summary.csv against the epoch."""
    columns: Annotated[list[MeasureColumn], Field(min_length=1, max_length=12)] = [
        "training_loss",
        "auc",
        "effective_rank",
        "knn_cosine_k20",
    ]
    """Columns of summary.csv, or `training_loss`, `batch_std`, `batch_effective_rank`."""

    @field_validator("columns")
    @classmethod
    def _once(cls, columns: list[str]) -> list[str]:
        if twice := [name for name in columns if columns.count(name) > 1]:
            raise ValueError(f"column {twice[0]!r} appears twice; name it once")
        return columns


class ForecastFigure(TwoPanels):
    """Accuracy forecast from a label-free measure and the training loss, against measured."""

    kind: Literal["forecast"]
    """`forecast`: each run's accuracy, forecast by a linear fit to the other runs."""


class RankingFigure(AnyFigure):
    """Which label-free measure ranks runs as their accuracy does."""

    kind: Literal["ranking"]
    """`ranking`: rank correlation of every measure with accuracy over the runs."""
    accuracy: AccuracyColumn = "knn_cosine_k20"
    """Column of summary.csv that holds an accuracy."""


Figure = Annotated[
    SpectraFigure
    | SharesFigure
    | SchedulesFigure
    | SwitchesFigure
    | SizesFigure
    | MethodsFigure
    | CurvesFigure
    | ForecastFigure
    | RankingFigure,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[Figure] = TypeAdapter(Figure)


def parse_figure(spec: str) -> Figure:
    """The figure that a stage's `--spec` JSON describes (errors: pydantic.ValidationError)."""
    return from_spec(_ADAPTER, spec)


def with_concrete_runs(figure: Figure, concrete: Mapping[str, Sequence[str]]) -> Figure:
    """Replace every base run name by the runs it expands to (a sweep has several).

    A label survives only where its name expands to one run. A name that `concrete` lacks is a
    `KeyError`: the caller knows the configured runs and gives the better message.
    """
    runs = [
        {
            "name": name,
            "label": run.label if len(concrete[run.name]) == 1 else None,
            "curve": run.curve,
        }
        for run in figure.runs
        for name in concrete[run.name]
    ]
    return _ADAPTER.validate_python({**figure.model_dump(), "runs": runs})


class ReportSpec(StrictModel):
    """Heading and description of the experiment, and the runs of the table in their order."""

    title: Text
    """Heading of the page."""
    description: FreeText = ""
    """What it says of the experiment."""
    runs: Annotated[list[Text], Field(min_length=1)]
    """The runs of the table, in their order."""
    figures: list[Text] = []
    """The figures in their order; their files come by argument."""
    missing: Annotated[list[Text], Neutral([])] = []
    """Figures of the paper that the runs do not allow, with what would bring each."""
    accuracy: Annotated[AccuracyColumn, Neutral("knn_cosine_k20")] = "knn_cosine_k20"
    """Column of summary.csv that the table shows."""
