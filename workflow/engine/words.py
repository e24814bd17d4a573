"""The plan in words: why each job would run, and whether every result is as recorded."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.judging import EVERYTHING, VERDICTS
from ssl_collapse.provenance.judge import MISSING, some
from ssl_collapse.runtime.errors import UserError


@dataclass(frozen=True)
class Verdict:
    """The judge's word on one job; no reason where what it makes is current.

    stored: whether it would take its results from the store.
    believed: why that could not be looked up, where it could not.
    """

    rule: str
    spec: str
    code: str
    inputs: list[str]
    outputs: list[str]
    reason: str | None
    believed: str | None = None
    stored: bool = False

    @property
    def place(self) -> str:
        """The run for its training, else the first result."""
        path = self.outputs[0].removeprefix("results/")
        return path.rpartition("/")[0] if self.rule == "pretrain" else path


def verdicts(arguments: Sequence[str], everything: bool = False) -> list[Verdict]:
    """The verdict on every job of a plan, causes first, by a dry run that writes nothing.

    arguments: of Snakemake. everything: read every byte, also where a file is provably unchanged.
    UserError with what Snakemake says where there is no plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "verdicts.json")
        environment = {**os.environ, VERDICTS: str(answer)}
        if everything:
            environment[EVERYTHING] = "yes"
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1"]
        run = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, env=environment
        )
        if run.returncode or not answer.exists():
            raise UserError(f"no plan:\n{(run.stdout + run.stderr).strip()}")
        return [Verdict(**row) for row in json.loads(answer.read_text("utf-8"))]


def explain(plan: Sequence[Verdict]) -> Iterator[str]:
    """One line for every job that would run, causes before what follows from them."""
    made: set[str] = set()
    for job in plan:
        above = [path for path in job.inputs if path in made]
        if job.reason is None and not above:
            continue
        made.update(job.outputs)
        reason = job.reason or f"made from {some(above)}, made again first"
        yield f"{job.place}: {reason}{'; in the store' if job.stored else ''}"


def differing(plan: Sequence[Verdict]) -> Iterator[str]:
    """One line for every result that is there and is not what today's plan would make."""
    for job in plan:
        if job.reason not in (None, MISSING):
            yield f"{job.place}: {job.reason}"


def believed(plan: Sequence[Verdict]) -> list[str]:
    """What could not be looked at: images that are not on this machine."""
    return [job.believed for job in plan if job.believed]


def missing(plan: Sequence[Verdict]) -> int:
    """How many jobs of the plan have not been run yet."""
    return sum(job.reason == MISSING for job in plan)
