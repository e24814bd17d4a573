"""What of an experiment is there already, for a report before all of it is."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from engine.words import Verdict
from ssl_collapse.config.figures import parse_figure
from ssl_collapse.config.paths import Paths, fill, matching
from ssl_collapse.config.summary import SummaryRow, parse_rows

FOLDER = "so-far"  # of tables and figures made from a part, in that of results


class SoFar:
    """The results that are current, by the verdicts on a plan, causes first.

    Paths are relative to the folder that Snakemake runs in.
    """

    def __init__(self, plan: Sequence[Verdict]) -> None:
        self._jobs = {job.rule: job for job in plan if job.rule in ("summarize", "report")}
        self._figures = {Path(j.outputs[0]).stem: j for j in plan if j.rule == "figure"}
        self._current = set(_current(plan))
        self.page = Path(self._jobs["report"].outputs[0])
        self.root = self.page.parent
        self._paths = Paths(str(self.root))
        self.folder = self.root / FOLDER
        self.figures: list[str] = json.loads(self.report_spec)["figures"]
        self.drawn = {name for name in self.figures if self._is_current(self._figures[name])}
        self.has_summary = self._is_current(self._jobs["summarize"])
        self.complete = self._is_current(self._jobs["report"])
        inputs = self._jobs["report"].inputs
        described = matching(self._paths.description)
        self.datasets = [Path(i) for i in inputs if described.search(i)]

    def _is_current(self, job: Verdict) -> bool:
        return set(job.outputs) <= self._current

    @property
    def report_spec(self) -> str:
        """The spec of the report."""
        return self._jobs["report"].spec

    @cached_property
    def _all_rows(self) -> list[SummaryRow]:
        return parse_rows(self._jobs["summarize"].spec)

    @cached_property
    def rows(self) -> list[SummaryRow]:
        """The rows of the summary whose numbers are all there."""
        return [row for row in self._all_rows if self._is_measured(row)]

    def _is_measured(self, row: SummaryRow) -> bool:
        datasets = filter(None, (row.dataset, row.evaluated_on))
        of_row = {fill(self._paths.description, dataset=name) for name in datasets}
        of_row.add(row.path(self._paths.training))
        folder = f"{row.path(self._paths.epoch)}/"
        inputs = self._jobs["summarize"].inputs
        return all(i in self._current for i in inputs if i in of_row or i.startswith(folder))

    def summary_spec(self) -> str:
        """The spec of a summary of these rows."""
        return json.dumps([row.to_spec() for row in self.rows])

    def figure_spec(self, name: str) -> str | None:
        """The spec of a figure of the runs that are measured; None where there is none."""
        spec = parse_figure(self._figures[name].spec)
        measured = {row.run for row in self.rows if row.final}
        runs = [run for run in spec.runs if run.name in measured]
        return spec.model_copy(update={"runs": runs}).to_spec_json() if runs else None

    @property
    def missing(self) -> Iterator[str]:
        """A line for each run that is not measured whole."""
        every, there = (Counter(row.run for row in rows) for rows in (self._all_rows, self.rows))
        for run, count in every.items():
            if there[run] < count:
                yield f"run {run}: {there[run]} of {count} seeds and epochs are measured"


def _current(plan: Sequence[Verdict]) -> Iterator[str]:
    """Every result that is what today's plan would make."""
    made: set[str] = set()
    for job in plan:
        if job.reason is None and not made.intersection(job.inputs):
            yield from job.outputs
        else:
            made.update(job.outputs)
