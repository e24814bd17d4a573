"""From the YAML's mapping to a validated `Experiment`, or one message with every error."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.experiment import Experiment
from ssl_collapse.config.figures import with_concrete_runs
from ssl_collapse.config.paper import PAPER, paper_figures
from ssl_collapse.config.reading.messages import Problem, describe, shown
from ssl_collapse.config.reading.sweeps import combinations, expand
from ssl_collapse.config.reading.written import Place, traps, with_text_keys, without_blame
from ssl_collapse.config.types import merge
from ssl_collapse.runtime.errors import UserError

Check = Callable[[Experiment, Mapping[str, Sequence[str]]], Iterable[Problem]]
MOST_RUNS = 10_000  # of one sweep: more is a slip of the keyboard


def read_experiment(config: Any, files: Iterable[Path], check: Check) -> Experiment:
    """Expand defaults and sweeps, validate, and cross-check; raises one `UserError` for all.

    Args:
        config: what was read, with everything that was laid over it.
        files: what it was read from, to see what YAML passes over in silence.
        check: every contradiction of an experiment, given what is wrong and so not in it (section
            -> names).
    """
    places: set[Place] = set()  # of values in the files
    problems = [problem for file in files for problem in traps(file, places)]
    try:
        written = with_text_keys(config, problems)
    except RecursionError:
        raise UserError("the config is nested without end: an anchor holds itself") from None
    if not isinstance(written, dict):
        raise UserError(f"the config is {shown(written)}; it must be a mapping of keys")
    runs, sweeps = _expanded_runs(written, problems)
    raw = {key: value for key, value in written.items() if key != "defaults"}
    raw |= {"sweeps": sweeps, **({} if runs is None else {"runs": runs})}
    whole_story = raw.get("figures") == PAPER
    if whole_story:
        raw |= {"figures": {}}
    experiment = None
    try:
        experiment = Experiment.model_validate(raw)
        problems += [_by_written_name(p, sweeps) for p in check(experiment, {})]
    except ValidationError as error:
        problems += [_as_written(p, written, sweeps) for p in describe(error, raw)]
        problems += [_by_written_name(p, sweeps) for p in _check_sound_part(raw, error, check)]
    if problems or experiment is None:
        raise _config_error(without_blame(problem, places) for problem in problems)
    if whole_story:
        return experiment.model_copy(update={"figures": paper_figures(experiment.runs)})
    figures = {n: with_concrete_runs(f, _bases(experiment)) for n, f in experiment.figures.items()}
    return experiment.model_copy(update={"figures": figures})


def _check_sound_part(
    raw: dict[str, Any], error: ValidationError, check: Check
) -> Iterable[Problem]:
    """Broken references between the datasets, runs and figures that have no error themselves."""
    rest: dict[str, Any] = dict(raw)
    left_out: dict[str, list[str]] = {}
    for item in error.errors(include_url=False):
        section, *names = map(str, item["loc"] or ("",))
        left_out.setdefault(section, []).extend(names[:1])
        if names and section in ("datasets", "runs", "figures") and isinstance(raw[section], dict):
            rest[section] = {k: v for k, v in rest[section].items() if k != names[0]}
        else:
            rest.pop(section, None)
    try:
        sound = Experiment.model_validate(rest)
    except ValidationError:
        return ()
    return check(sound, left_out)


def _expanded_runs(config: dict[str, Any], problems: list[Problem]) -> tuple[Any, Any]:
    """The runs with defaults merged and sweeps expanded, and the names that each sweep made."""
    if "sweeps" in config:
        text = "unknown key; for a sweep write a list where a run has a single value"
        problems.append(Problem(("sweeps",), text))
    written, defaults = config.get("runs"), config.get("defaults")
    if defaults is not None and not isinstance(defaults, dict):
        text = f"{shown(defaults)} is not allowed; it must be a mapping with the keys of a run"
        problems.append(Problem(("defaults",), text))
        defaults = {}
    if not isinstance(written, dict):
        return written, {}  # validation says what is wrong with it
    runs: dict[str, Any] = {}
    sweeps: dict[str, list[str]] = {}
    for name, run in written.items():
        merged = merge(defaults or {}, {} if run is None else run)
        if (count := combinations(merged)) > MOST_RUNS:
            problems.append(Problem(("runs", name), f"its lists make {count} runs; give fewer"))
        pairs = list(islice(expand(name, merged), 1 if count > MOST_RUNS else count))
        for expanded, content in pairs:
            if expanded != name and (expanded in runs or expanded in written):
                text = f"its lists make a second run `{expanded}`; give each run a name of its own"
                problems.append(Problem(("runs", name), text))
            runs[expanded] = content
        if [expanded for expanded, _ in pairs] != [name]:
            sweeps[name] = [expanded for expanded, _ in pairs]
    return runs, sweeps


def _bases(experiment: Experiment) -> dict[str, list[str]]:
    return {**{name: [name] for name in experiment.runs}, **experiment.sweeps}


def _by_written_name(problem: Problem, sweeps: dict[str, list[str]]) -> Problem:
    """The same problem, at the sweep that made the run."""
    base = {name: written for written, names in sweeps.items() for name in names}
    if problem.path[:1] != ("runs",) or len(problem.path) < 2:
        return problem
    name = problem.path[1]
    return replace(problem, path=("runs", base.get(name, name), *problem.path[2:]))


def _as_written(problem: Problem, config: dict[str, Any], sweeps: dict[str, list[str]]) -> Problem:
    """The same problem, at the run as it was written, or at the defaults if it comes from there."""
    problem = _by_written_name(problem, sweeps)
    run, keys = problem.path[:2], problem.path[2:]
    if run[:1] == ("runs",) and keys and not _holds(config, (*run, *keys)):
        if _holds(config, ("defaults", *keys)):
            return replace(problem, path=("defaults", *keys))
        if problem.text.startswith("missing") and len(keys) == 1:
            return replace(problem, text="missing; set it here or under `defaults`")
    return problem


def _holds(raw: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if isinstance(raw, list):  # of values, or a sweep, which is a level less
            return True
        if not isinstance(raw, dict) or part not in raw:
            return False
        raw = raw[part]
    return True


def _config_error(problems: Iterable[Problem]) -> UserError:
    lines = list(dict.fromkeys(f"  {problem}" for problem in problems))
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
    return UserError(f"the config has {count}:\n" + "\n".join(lines))
