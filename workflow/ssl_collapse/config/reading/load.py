"""From the YAML's mapping to a validated `Experiment`, or one message with every error."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.experiment import Experiment
from ssl_collapse.config.figures import with_concrete_runs
from ssl_collapse.config.files import KINDS
from ssl_collapse.config.paper import PAPER, paper_figures
from ssl_collapse.config.reading.messages import Problem, describe, shown
from ssl_collapse.config.reading.sweeps import combinations, expand
from ssl_collapse.config.reading.written import traps, with_text_keys
from ssl_collapse.config.types import merge
from ssl_collapse.runtime.errors import UserError

Check = Callable[[Experiment, Mapping[str, Sequence[str]]], Iterable[Problem]]
# Runs that were trained elsewhere: section -> keys that tell them, keys of `defaults` they take
_BROUGHT = {
    "files": (KINDS, ("folder", "share")),
    "checkpoints": ({"checkpoint"}, ("folder", "dataset")),
}
MOST_RUNS = 10_000  # of one sweep: more is a slip of the keyboard


def read_experiment(config: Any, files: Iterable[Path], check: Check) -> Experiment:
    """Expand defaults and sweeps, validate, and cross-check; raises one `UserError` for all.

    Args:
        config: what was read, with everything that was laid over it.
        files: what it was read from, to see what YAML passes over in silence.
        check: every contradiction of an experiment, given what is wrong and so not in it (section
            -> names).
    """
    problems = [problem for file in files for problem in traps(file)]
    try:
        written = with_text_keys(config, problems)
    except RecursionError:
        raise UserError("the config is nested without end: an anchor holds itself") from None
    if not isinstance(written, dict):
        raise UserError(f"the config is {shown(written)}; it must be a mapping of keys")
    runs, sweeps, brought = _expanded_runs(written, problems)
    raw = {key: value for key, value in written.items() if key != "defaults"}
    raw |= {"sweeps": sweeps, **brought, **({} if runs is None else {"runs": runs})}
    problems += _without_entry(raw)
    whole_story = raw.get("figures") == PAPER
    if whole_story:
        raw |= {"figures": {}}
    experiment = None
    try:
        experiment = Experiment.model_validate(raw)
        contradictions = check(experiment, {})
    except ValidationError as error:
        problems += [_as_written(problem, written, sweeps) for problem in describe(error, raw)]
        contradictions = _check_sound_part(raw, error, check)
    problems += [_as_written(problem, {}, sweeps) for problem in contradictions]
    if problems or experiment is None:
        lines = dict.fromkeys(f"  {problem}" for problem in problems)
        count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
        raise UserError("\n".join([f"the config has {count}:", *lines]))
    if whole_story:
        return experiment.model_copy(update={"figures": paper_figures(experiment.runs)})
    concrete = {**{name: [name] for name in experiment.all_runs()}, **experiment.sweeps}
    figures = {n: with_concrete_runs(f, concrete) for n, f in experiment.figures.items()}
    return experiment.model_copy(update={"figures": figures})


def _check_sound_part(
    raw: dict[str, Any], error: ValidationError, check: Check
) -> Iterable[Problem]:
    """Broken references between the datasets, runs and figures that have no error themselves."""
    rest = dict(raw)
    left_out: dict[str, list[str]] = {}
    for item in error.errors(include_url=False):
        section, *names = map(str, item["loc"] or ("",))
        left_out.setdefault("runs" if section in _BROUGHT else section, []).extend(names[:1])
        mappings = ("datasets", "runs", *_BROUGHT, "figures")
        if names and section in mappings and isinstance(raw[section], dict):
            rest[section] = {k: v for k, v in rest[section].items() if k != names[0]}
        else:
            rest.pop(section, None)
    try:
        sound = Experiment.model_validate(rest)
    except ValidationError:
        return ()
    return check(sound, left_out) if sound.datasets or sound.files else ()


def _without_entry(raw: dict[str, Any]) -> Iterator[Problem]:
    """Datasets and trainings are needed, but where all runs are files."""
    for section, instead in (("datasets", ["files"]), ("runs", _BROUGHT)):
        if any(raw[other] for other in instead):
            continue
        if section not in raw:
            yield Problem((section,), "missing; this key is required")
        elif raw[section] == {}:
            yield Problem((section,), "{} is not allowed; it must have at least 1 item")


def _expanded_runs(config: dict[str, Any], problems: list[Problem]) -> tuple[Any, Any, Any]:
    """The runs with defaults merged and sweeps expanded, the names that each sweep made, and the
    runs that were trained elsewhere, by their section.
    """
    elsewhere = "a run of them has `representations`, `spectrum` or `checkpoint` under `runs`"
    sweep = "for a sweep write a list where a run has a single value"
    for section, way_out in {"sweeps": sweep, **dict.fromkeys(_BROUGHT, elsewhere)}.items():
        if section in config:
            problems.append(Problem((section,), f"unknown key; {way_out}"))
    written, defaults = config.get("runs"), config.get("defaults") or {}
    if not isinstance(defaults, dict):
        text = f"{shown(defaults)} is not allowed; it must be a mapping with the keys of a run"
        problems.append(Problem(("defaults",), text))
        defaults = {}
    brought: dict[str, dict[str, Any]] = {section: {} for section in _BROUGHT}
    if not isinstance(written, dict):
        return written, {}, brought  # validation says what is wrong with it
    runs: dict[str, Any] = {}
    sweeps: dict[str, list[str]] = {}
    of_training = {k: v for k, v in defaults.items() if k != "folder"}
    for name, run in written.items():
        keys = run.keys() if isinstance(run, dict) else set()
        if sections := [s for s, (kinds, _) in _BROUGHT.items() if kinds & keys]:
            under = {k: v for k, v in defaults.items() if k in _BROUGHT[sections[0]][1]}
            brought[sections[0]][name] = merge(under, run)
            continue
        merged = merge(of_training, {} if run is None else run)
        if (count := combinations(merged)) > MOST_RUNS:
            problems.append(Problem(("runs", name), f"its lists make {count} runs; give fewer"))
            count = 1
        pairs = list(islice(expand(name, merged), count))
        for expanded, content in pairs:
            if expanded != name and (expanded in runs or expanded in written):
                text = f"its lists make a second run `{expanded}`; give each run a name of its own"
                problems.append(Problem(("runs", name), text))
            runs[expanded] = content
        if [expanded for expanded, _ in pairs] != [name]:
            sweeps[name] = [expanded for expanded, _ in pairs]
    return runs, sweeps, brought


def _as_written(problem: Problem, config: dict[str, Any], sweeps: dict[str, list[str]]) -> Problem:
    """The same problem at the sweep that made its run, or at the defaults that it comes from."""
    section, *names = problem.path or ("",)
    if section not in ("runs", *_BROUGHT) or not names:
        return problem
    base = {name: written for written, expanded in sweeps.items() for name in expanded}
    run, keys = ("runs", base.get(names[0], names[0])), names[1:]
    text = problem.text
    if keys and not _holds(config, (*run, *keys)):
        if _holds(config, ("defaults", *keys)):
            return Problem(("defaults", *keys), text)
        if text.startswith("missing") and len(keys) == 1:
            text = "missing; set it here or under `defaults`"
    return Problem((*run, *keys), text)


def _holds(raw: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if isinstance(raw, list):  # of values, or a sweep, which is a level less
            return True
        if not isinstance(raw, dict) or part not in raw:
            return False
        raw = raw[part]
    return True
