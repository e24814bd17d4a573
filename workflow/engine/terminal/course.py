"""The course of a run, from what Snakemake logs: lines for a person, and what is running."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from engine.time_limit import KINDS
from ssl_collapse.runtime.interruption import saved_and_left

TAIL = 12  # lines of a failed job's log
_COMPLETE = "Complete log(s): "
# Of what Snakemake says besides: errors that are told with their job, and the way to the log.
_TOLD = ("Exiting because a job", "At least one job did not", "returned non-zero exit status")
_NOTHING = "Nothing to be done"
_STOPPING = "Terminating processes on user request"
_SHOWN = (_NOTHING, _STOPPING, "Trying to restart")


@dataclass(frozen=True)
class Line:
    """One line, or a block, to print.

    style: of `rich`, where there are colours. moves: left out where lines that move tell it.
    """

    text: str
    style: str = ""
    moves: bool = False


@dataclass(frozen=True)
class Job:
    """A job that was started or, on a cluster, submitted; `began` in seconds of 1970."""

    rule: str
    place: str  # its wildcards: single/seed0/epoch0040
    log: str | None
    began: float

    @property
    def name(self) -> str:
        """Rule and place."""
        return f"{self.rule} {self.place}".strip()


@dataclass
class Course:
    """What has happened so far.

    plan: the line that tells it, given the number of jobs by rule.
    """

    plan: Callable[[Mapping[str, int]], str]
    begun: bool = False
    planned: bool = False
    nothing_to_do: bool = False
    done: int = 0
    total: int = 0
    full_log: str = ""
    running: dict[int, Job] = field(default_factory=dict)
    failed: dict[str, Job] = field(default_factory=dict)
    interrupted: dict[str, Job] = field(default_factory=dict)
    stopping: bool = False  # as a person asked
    _words: DefaultFormatter = field(default_factory=DefaultFormatter)

    def hear(self, record: logging.LogRecord) -> list[Line]:
        """Take note of a record; returns what to print of it.

        Until a run begins, and of what is no part of one (`--list`), all is as Snakemake says it.
        """
        event = getattr(record, "event", None)
        self.begun = self.begun or event == LogEvent.WORKFLOW_STARTED
        if not self.begun:
            text = self._words.format(record)
            return [Line(text, _style(record))] if text else []
        tell = {
            LogEvent.RUN_INFO: self._run_info,
            LogEvent.JOB_INFO: self._job_info,
            LogEvent.JOB_FINISHED: self._job_finished,
            LogEvent.JOB_ERROR: self._job_error,
            LogEvent.GROUP_ERROR: self._group_error,
            LogEvent.PROGRESS: self._progress,
            LogEvent.ERROR: self._message,
            None: self._message,
        }.get(event)
        return tell(record) if tell else []

    def _run_info(self, record: Any) -> list[Line]:
        counts = {rule: n for rule, n in record.stats.items() if rule != "total"}
        self.planned, self.total = True, sum(counts.values())
        return [Line(self.plan(counts), "bold")]

    def _job_info(self, record: Any) -> list[Line]:
        place = _place(record.wildcards)
        log = next(iter(record.log), None)
        self.running[record.jobid] = Job(record.rule_name, place, log, record.created)
        return []

    def _job_finished(self, record: Any) -> list[Line]:
        self.done += 1
        job = self.running.pop(record.job_id, None)
        if job is None or job.log is None:  # `all` and the like make nothing
            return []
        self.failed.pop(job.name, None)  # at an earlier attempt
        self.interrupted.pop(job.name, None)
        took = in_words(record.created - job.began)
        text = f"[{self.done}/{self.total}] {job.name}, {took}"
        return [Line(text, moves=job.rule not in KINDS)]

    def _progress(self, record: Any) -> list[Line]:
        self.done, self.total = record.done, record.total
        return []

    def _job_error(self, record: Any) -> list[Line]:
        job = self.running.pop(record.jobid, None)
        job = job or Job(record.rule_name, "", next(iter(record.log), None), record.created)
        if job.rule in KINDS and job.log and (left := saved_and_left(Path(job.log))):
            self.interrupted[job.name] = job
            return [Line(f"{job.name}: {left}; it goes on from there", "yellow")]
        if self.stopping:
            self.interrupted[job.name] = job
            return [Line(f"{job.name}: stopped; it starts anew", "yellow")]
        self.failed[job.name] = job
        lines = [Line(f"error: {job.name} has failed", "bold red")]
        if record.rule_msg:
            lines.append(Line(f"  {record.rule_msg}", "red"))
        return lines + [Line(text, "red") for text in _last_lines(job.log)]

    def _group_error(self, record: Any) -> list[Line]:
        logs = ", ".join(record.aux_logs)
        return [Line(f"error: a group of jobs has failed{f'; {logs}' if logs else ''}", "bold red")]

    def _message(self, record: logging.LogRecord) -> list[Line]:
        text = record.getMessage() if record.msg else ""
        if text.startswith(_COMPLETE):
            self.full_log = text.removeprefix(_COMPLETE)
        self.nothing_to_do |= text.startswith(_NOTHING)
        self.stopping |= text.startswith(_STOPPING)
        if any(part in text for part in _TOLD):
            return []
        if record.levelno >= logging.WARNING or text.startswith(_SHOWN):
            return [Line(text, _style(record))]
        return []


def _style(record: logging.LogRecord) -> str:
    if record.levelno >= logging.ERROR:
        return "red"
    return "yellow" if record.levelno >= logging.WARNING else ""


def _place(wildcards: Mapping[str, str]) -> str:
    parts = [
        f"{name if name in ('seed', 'epoch') else ''}{value.strip('/')}"
        for name, value in wildcards.items()
        if value  # the layer of the backbone has no name
    ]
    return "/".join(parts)


def _last_lines(log: str | None) -> list[str]:
    """The last lines of a job's log, with where it lies."""
    if log is None:
        return []
    try:
        lines = Path(log).read_text("utf-8", errors="replace").rstrip().splitlines()
    except OSError:
        lines = []
    if not lines:
        return [f"  {log} is empty"]
    return [f"  last lines of {log}:", *(f"  | {line}" for line in lines[-TAIL:])]


def in_words(seconds: float) -> str:
    """A time as a person says it: 40 s, 3 min 05 s, 2 h 10 min, 3 d 4 h."""
    whole = round(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    for large, small, size, of in (("d", "h", 86400, 3600), ("h", "min", 3600, 60)):
        if whole >= size:
            return f"{whole // size} {large} {whole % size // of} {small}"
    return f"{whole // 60} min {whole % 60:02d} s"


def plain(text: str) -> str:
    """Without the sequences by which a terminal is steered, which file names may hold."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "?", text)
