"""The judge in place of Snakemake's triggers: everything that touches its private parts.

Snakemake decides by dates and by its own records in `.snakemake/` whether a job must run. For the
jobs of this workflow it asks the judge instead, who looks at what is recorded beside each result
(`provenance.judge`). These answers of Snakemake's are replaced, for our rules alone:

- `Job.output_mintime`: when the oldest output was made. "In the end of time", so that no input is
  ever newer: dates decide nothing. It is asked for every job before the first is judged.
- `has_metadata`, `has_outdated_metadata`: that there is a record of how the outputs were made.
- `params_changed`: the judge's verdict, with its reason as the text.
- `Reason.is_provenance_triggered`: not by us; its advice, to go by dates, would be wrong.
- `DAG.check_and_touch_output`: after a job its outputs get no new date, by which they would all be
  read again, and their dates are not compared.
- `input_changed`, `code_changed`, `software_stack_changed`, `incomplete`: never.
- `Job.conda_env_spec`: asked for every job of a plan, and known without writing its params.
- `Job.restart_times`: how often a failed job is tried again, more often where it made progress.
- `_IOFile.store_in_storage`, `retrieve_from_storage`: what lies beside a result goes with it.

And before it plans, which is after the Snakefile was read, what was asked for is checked.

tests/unit/engine/test_hooks.py holds these names against the installed version.
"""

import math
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import signature
from typing import Any

import snakemake
from snakemake.jobs import Job, Reason
from snakemake.persistence import ParamsChange, PersistenceBase

from engine.storage import Storage
from ssl_collapse.runtime.errors import UserError

Verdict = Callable[[Any], str | None]
_judges: dict[Any, Verdict] = {}  # rule -> who judges its jobs
_beginnings: dict[Any, Callable[[Any], None]] = {}  # rule -> who is told of the plan, job by job
_tries: dict[Any, Callable[[Any], int]] = {}  # rule -> further tries of its job that failed


class Changed(ParamsChange):  # type: ignore[misc]
    """A change of params as Snakemake knows it, in the judge's words."""

    def __init__(self, reason: str, files: Iterable[str]) -> None:
        super().__init__(only_new={reason}, files=set(files))
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def let_judge(
    rules: Iterable[Any], judge: Verdict, begin: Callable[[Any], None] = lambda dag: None
) -> None:
    """From now on the jobs of these rules run if, and only if, `judge` gives a reason.

    begin: called with the whole plan, once or more often, before a job of it is judged; also where
    none will be, as a job is not whose inputs are made first.
    """
    if not _judges:
        _install()
    _judges.update(dict.fromkeys(rules, judge))
    _beginnings.update(dict.fromkeys(rules, begin))


def give_more_tries(tries: Callable[[Any], int], rules: Iterable[Any]) -> None:
    """Let failed jobs of these rules be tried `tries(job)` times more often than `retries` says.

    Where `retries` is 0, once is enough.
    """
    if not _tries:
        theirs = _theirs(Job, "restart_times")

        def restart_times(job: Any) -> int:
            retries: int = theirs.__get__(job)
            return retries + _tries[job.rule](job) if retries and job.rule in _tries else retries

        Job.restart_times = property(restart_times)
    _tries.update(dict.fromkeys(rules, tries))


def leave_dates(rules: Iterable[Any]) -> None:
    """Let no job of these rules be dated anew when it is done, in whichever process it runs."""
    from snakemake.dag import DAG  # not before Snakemake has imported it: it does so in a circle

    ours, theirs = set(rules), _theirs(DAG, "check_and_touch_output")
    for option in ("no_touch", "check_output_mtime"):
        if option not in signature(theirs).parameters:
            raise unknown_version(f"DAG.check_and_touch_output({option})")

    @wraps(theirs)
    async def check(self: Any, job: Any, *arguments: Any, **options: Any) -> None:
        if getattr(job, "rule", None) in ours:
            options |= {"no_touch": True, "check_output_mtime": False}
        await theirs(self, job, *arguments, **options)

    DAG.check_and_touch_output = check


def carry_along(storage: Storage) -> None:
    """Tell the storage of each file that Snakemake stores or fetches, in whichever process."""
    from snakemake.io import _IOFile

    store = _theirs(_IOFile, "store_in_storage")
    retrieve = _theirs(_IOFile, "retrieve_from_storage")

    async def store_in_storage(file: Any) -> None:
        storage.before_storing(str(file))
        await store(file)
        storage.after_storing(str(file))

    async def retrieve_from_storage(file: Any) -> None:
        storage.before_fetching(str(file))
        await retrieve(file)
        storage.after_fetching(str(file))

    _IOFile.store_in_storage = store_in_storage
    _IOFile.retrieve_from_storage = retrieve_from_storage


def before_planning(workflow: Any, check: Callable[[], None]) -> None:
    """Have `check` called when the targets are known, before it is looked up what makes them."""
    theirs = _theirs(workflow, "_prepare_dag")

    def prepare(*arguments: Any, **options: Any) -> Any:
        check()
        return theirs(*arguments, **options)

    workflow._prepare_dag = prepare


def unknown_version(missing: str) -> UserError:
    """What to say of a version of Snakemake that lacks what this file replaces."""
    return UserError(
        f"Snakemake {snakemake.__version__} has no {missing}, by which this workflow decides what "
        "runs; install the version that envs/requirements.txt names"
    )


def _theirs(owner: Any, name: str) -> Any:
    """What Snakemake has under a name that is replaced here."""
    if not hasattr(owner, name):
        kind = owner if isinstance(owner, type) else type(owner)
        raise unknown_version(f"{kind.__name__}.{name}")
    return getattr(owner, name)


def _install() -> None:
    _replace_property("output_mintime", _end_of_time)
    _replace_property("conda_env_spec", lambda job: job.rule.expand_conda_env(job.wildcards_dict))
    _replace_advice()
    _replace("has_metadata", lambda job: True)
    _replace("has_outdated_metadata", lambda job: False)
    _replace("params_changed", _verdict)
    for name in ("input_changed", "code_changed", "software_stack_changed"):
        _replace(name, lambda job: ())
    _replace("incomplete", _complete)


def _replace(name: str, answer: Callable[[Any], Any]) -> None:
    theirs = _theirs(PersistenceBase, name)

    def ours(self: Any, job: Any, **options: Any) -> Any:
        return answer(job) if job.rule in _judges else theirs(self, job, **options)

    setattr(PersistenceBase, name, ours)


def _replace_property(name: str, answer: Callable[[Any], Any]) -> None:
    theirs = _theirs(Job, name)

    def ours(job: Any) -> Any:
        return answer(job) if job.rule in _judges else theirs.__get__(job)

    setattr(Job, name, property(ours))


def _replace_advice() -> None:
    theirs = _theirs(Reason, "is_provenance_triggered")

    def is_provenance_triggered(self: Any) -> bool:
        return not isinstance(self.params_changed, Changed) and bool(theirs(self))

    Reason.is_provenance_triggered = is_provenance_triggered


async def _end_of_time(job: Any) -> float:
    _beginnings[job.rule](job.dag)
    return math.inf


def _verdict(job: Any) -> ParamsChange:
    reason = _judges[job.rule](job)
    return ParamsChange() if reason is None else Changed(reason, map(str, job.output))


async def _complete(job: Any) -> list[Any]:
    return []
