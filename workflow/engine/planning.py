"""From the config to a plan that Snakemake can follow; a wrong config ends it with one message."""

import difflib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemake.resources import Resource
from snakemake.settings.types import RerunTrigger
from snakemake_interface_executor_plugins.settings import ExecMode

from engine.hooks import before_planning, carry_along, give_more_tries, leave_dates, let_judge
from engine.judging import Judge
from engine.stage import Stages, answered
from engine.storage import Storage, storage_of
from engine.terminal.closing import closing
from engine.terminal.handler import attach
from engine.terminal.opening import opening
from engine.time_limit import KINDS, Tries
from ssl_collapse.config.experiment import RuntimeConfig
from ssl_collapse.config.paths import Paths, fill
from ssl_collapse.config.reading.file import check_file
from ssl_collapse.plan.cautions import cautions
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.results import Results
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import WRONG_INPUT, UserError
from ssl_collapse.runtime.gpus import gpu_numbers
from ssl_collapse.runtime.trackers import require_packages

# A plan is some hundred objects per job, all of which stay: every 700 new ones, as is Python's
# default, the collector would look for garbage among them, a quarter of the time of planning.
YOUNG = 100_000


@contextmanager
def one_message() -> Iterator[None]:
    """Turn a UserError into its message and exit code 2."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(WRONG_INPUT)


def checked_file(path: str) -> str:
    """The path of a config file that Snakemake can read."""
    with one_message():
        check_file(Path(path))
    return path


def plan_experiment(config: Mapping[str, Any], workflow: Any) -> Results:
    """The results of the experiment that a config describes."""
    with one_message():
        return Results(Plan(load_experiment(config, map(Path, workflow.configfiles))))


def engage(workflow: Any, rules: Any, stages: Stages, results: Results) -> None:
    """Before the jobs are planned: check what the config alone does not tell, and take the word.

    Only in the process that plans; the jobs' own processes do what they are told, and leave dates.
    """
    names = own_rules(workflow, rules, stages)
    with one_message():
        leave_dates(names)
        if stages.storage:
            carry_along(stages.storage)
    if workflow.exec_mode != ExecMode.DEFAULT:
        return
    gc.set_threshold(YOUNG)
    allow_gpus(workflow, results.plan.experiment.runtime.gpus)
    with one_message():
        fetch_descriptions(stages, results.plan)
        judge = Judge(stages, names, lambda: workflow.dryrun)
        let_judge(judge.names, judge, judge.begin)
        resumable = {rule: name for rule, name in judge.names.items() if name in KINDS}
        see = stages.storage.fetch_places if stages.storage else None
        tries = Tries(Path(stages.results, "state"), resumable, see)
        give_more_tries(tries, resumable)
        stages.progress = tries.made
        judge.images.refuse_small()
        for caution in cautions(results.plan.experiment):
            print(f"warning: {caution}", file=sys.stderr)
        require_packages(results.plan.experiment.runtime)
        ours = len(workflow.modifier_stack) == 1  # in a module, targets are the business of others
        if ours:
            show_terminal(workflow, stages.results, results)
        before_planning(
            workflow, lambda: check_request(workflow, stages.results, results if ours else None)
        )


def fetch_descriptions(stages: Stages, plan: Plan) -> None:
    """Of users' own images that are described in a storage: what planning compares them with."""
    paths = Paths(stages.results)
    if stages.storage:
        for pattern in (paths.description, paths.inventory):
            for name in plan.users_datasets():
                stages.storage.fetch(Path(fill(pattern, dataset=name)))


def results_folder(workflow: Any, root: str) -> tuple[str, Storage | None]:
    """The folder of results, from the working directory, and the storage that it is a copy of.

    In a module behind its `prefix:`, which Snakemake puts before the paths in rules by itself.
    """
    folder = workflow.modifier.path_modifier.replace_prefix(f"{root}/").rstrip("/")
    with one_message():
        storage = storage_of(workflow, folder)
    return (storage.folder if storage else folder), storage


def show_terminal(workflow: Any, folder: str, results: Results) -> None:
    """Have a run told in our lines, where a person did not ask for others."""
    cores, nodes = workflow.resource_settings.cores, workflow.resource_settings.nodes
    on_gpus = gpus(results.plan.experiment.runtime) * workflow.global_resources["gpu"].value
    root = Path(folder)
    attach(
        workflow,
        root / "state",
        lambda course: closing(course, results, root),
        opening(results.plan, root, cores or nodes or 1, on_gpus),
    )


def own_rules(workflow: Any, rules: Any, stages: Stages) -> dict[Any, str]:
    """Our rules with the names that they have here, whatever a module calls them."""
    named = {getattr(rules, name).rule: name for name in stages.specs if rules.has(name)}
    return {rule: name for rule, name in named.items() if rule in workflow.modifier.rules}


def check_request(workflow: Any, folder: str, results: Results | None) -> None:
    """End with one message where what Snakemake was asked for cannot be done.

    results: those of this plan, where all targets are to be among them.
    """
    with one_message():
        if RerunTrigger.PARAMS not in workflow.rerun_triggers:
            raise UserError(
                "--rerun-triggers: results of this workflow are judged by what is recorded beside "
                "them, never by dates; leave the option out"
            )
        refuse_unwritable(Path(folder), workflow.dryrun)
        if results is not None:
            refuse_unknown_targets(workflow, results)


def refuse_unwritable(folder: Path, dry: bool) -> None:
    """UserError where results cannot lie in a folder, which need not be there yet.

    dry: nothing will be written.
    """
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    way_out = "move it away, or set `results:` in the config to another folder"
    if not there.is_dir():
        raise UserError(f"{there}: is no folder, and results are to lie in {folder}; {way_out}")
    if not dry and not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there}: cannot be written to, and results are to lie in {folder}")


def refuse_unknown_targets(workflow: Any, results: Results) -> None:
    """UserError for a target that is neither a rule nor a result of this plan.

    A file outside the folder of results may be one, too: Snakemake says what it can do about it.
    """
    targets = list(map(str, workflow.dag_settings.targets))
    if not targets:
        return
    known = [*(rule.name for rule in workflow.rules), *results.everything(), *results.images()]
    for target in targets:
        path = os.path.normpath(target)
        elsewhere = Path(path).exists() and not path.startswith(f"{results.paths.root}/")
        if path not in known and not elsewhere and not target.startswith("/"):
            near = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else "; see `snakemake --list-target-rules`"
            raise UserError(f"{target}: nothing of this experiment is called so{hint}")


def gpus(runtime: RuntimeConfig) -> int:
    """GPUs of a job that can use one: 0 where there is none, so that CPU jobs run side by side."""
    return int(runtime.device == "cuda" or (runtime.device == "auto" and bool(gpu_numbers())))


def allow_gpus(workflow: Any, count: int) -> None:
    """Raise the limit of GPUs to those of one training, where it is lower.

    profiles/default allows one. Snakemake would cut what a training asks for to the limit: SLURM
    would grant one GPU, and the step in its job ask for two.
    """
    limits = workflow.global_resources
    if "gpu" in limits and limits["gpu"].value < count:
        limits["gpu"] = Resource("gpu", count)


def per_attempt(amount: int) -> Callable[..., int]:
    """A resource of which a job asks for more every time that it is tried again, up to 4 times it.

    For stages that start anew: `Stages.memory` is for those that resume.
    """
    return answered(lambda wildcards, attempt: amount * min(attempt, 4))


def training_threads(results: Results) -> Callable[[Any], int]:
    """Threads of a training: for each of its processes, the recipe's and the loader's workers."""
    runtime, run = results.plan.experiment.runtime, results.plan.run
    return answered(
        lambda wildcards: runtime.gpus * (run(wildcards.run).cpu_threads + runtime.workers)
    )
