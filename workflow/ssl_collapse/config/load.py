"""From the YAML's mapping to a validated `Experiment`, or one message with every error."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.checks import cross_check
from ssl_collapse.config.experiment import Experiment
from ssl_collapse.config.figures import with_concrete_runs
from ssl_collapse.config.messages import Problem, describe
from ssl_collapse.config.sweep import expand, merge
from ssl_collapse.errors import UserError


def load_experiment(config: dict[str, Any]) -> Experiment:
    """Expand defaults and sweeps, validate, and cross-check; raises one `UserError` for all."""
    runs, sweeps = _expanded_runs(config)
    raw = {key: value for key, value in config.items() if key != "defaults"}
    raw["runs"], raw["sweeps"] = runs, sweeps
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        raise _config_error(describe(error, raw, config, sweeps)) from None
    problems = list(_sweep_problems(config)) + list(cross_check(experiment))
    if problems:
        raise _config_error(problems)
    figures = {n: with_concrete_runs(f, _bases(experiment)) for n, f in experiment.figures.items()}
    return experiment.model_copy(update={"figures": figures})


def _expanded_runs(config: dict[str, Any]) -> tuple[Any, dict[str, list[str]]]:
    written = config.get("runs")
    defaults = config.get("defaults") or {}
    if not isinstance(written, dict) or not isinstance(defaults, dict):
        return written, {}  # validation says what is wrong with it
    runs: dict[str, Any] = {}
    sweeps: dict[str, list[str]] = {}
    for name, run in written.items():
        expanded = expand(str(name), merge(defaults, {} if run is None else run))
        runs |= expanded
        if list(expanded) != [name]:
            sweeps[str(name)] = list(expanded)
    return runs, sweeps


def _bases(experiment: Experiment) -> dict[str, list[str]]:
    return {**{name: [name] for name in experiment.runs}, **experiment.sweeps}


def _sweep_problems(config: dict[str, Any]) -> Iterator[Problem]:
    if "sweeps" in config:
        yield Problem("sweeps", "unknown key; write a list where a run has a single value")


def _config_error(problems: list[Problem]) -> UserError:
    lines = sorted({f"  {problem}" for problem in problems})
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
    return UserError(f"the config has {count}:\n" + "\n".join(lines))
