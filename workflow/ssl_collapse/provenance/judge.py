"""Whether a result is what today's plan would make: the one function of planning, why and verify.

A result is current if what is recorded beside it agrees with today's plan (its rule, its part of
the config, the code that decides it) and with the bytes: its own, and those of its inputs. Nothing
else is believed, neither dates nor Snakemake's own records.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_collapse.provenance.code import equal_code, module_digests
from ssl_collapse.provenance.content import Look, Looks
from ssl_collapse.provenance.made_from import told
from ssl_collapse.provenance.sidecar import TOLD, Request, Sidecar, named, without_sidecar

MISSING = "not there yet"
_SHOWN = 3


@dataclass(frozen=True)
class Planned:
    """One job of today's plan: what it is told about itself, its part of the config, its script."""

    request: Request
    spec: str
    script: Path


def judge(job: Planned, looks: Looks, everything: bool = False) -> str | None:
    """Why a job must run: one line; None where all that it makes is current.

    everything: read all bytes, also of files that are provably unchanged.
    """
    results = {path: looks.at(path) for path in job.request.outputs}
    missing = [path for path, look in results.items() if look is None]
    if len(missing) == len(results):
        return MISSING
    if missing:
        return f"{some(missing)} is missing"
    for look in results.values():
        reason = _judge_output(job, look, looks, everything) if look else None
        if reason is not None:
            return reason
    return None


def _judge_output(job: Planned, output: Look, looks: Looks, everything: bool) -> str | None:
    sidecar, rule = output.sidecar, job.request.rule
    if sidecar is None:
        return without_sidecar(output.result)
    changes = [] if sidecar.rule == rule else [f"made by another rule, {sidecar.rule}"]
    changes += spec_changes(sidecar.spec, job.spec)
    if equal_code(rule, sidecar.code) != job.request.code:
        changes.append(_code_change(job, sidecar))
    changes += _input_changes(job, sidecar, looks, everything)
    if not changes and output.content(everything) != sidecar.sha256:
        changes = [f"{output.result.name} was changed after it was made"]
    more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    return "; ".join(changes[:_SHOWN]) + more or None


def _code_change(job: Planned, sidecar: Sidecar) -> str:
    now = module_digests(job.script, job.script.parents[1], job.request.plugins)
    names = now.keys() | sidecar.modules.keys()
    differing = sorted(name for name in names if now.get(name) != sidecar.modules.get(name))
    return f"code changed: {some(differing)}"


def _input_changes(job: Planned, sidecar: Sidecar, looks: Looks, everything: bool) -> Iterator[str]:
    request = job.request
    now = {named(path, request.results): path for path in request.inputs}
    before = {name: digest for name, digest in sidecar.inputs.items() if name != TOLD}
    if sidecar.inputs.get(TOLD) != (told(request.results, request.told) if request.told else None):
        yield f"the {TOLD} are others"
    added, gone = sorted(now.keys() - before), sorted(before.keys() - now)
    differences = [f"{sign} {some(names)}" for sign, names in (("+", added), ("-", gone)) if names]
    if differences:
        yield f"its inputs are others: {', '.join(differences)}"
    for name, recorded in before.items():
        # One that is missing is made first, and then this again if its content is another.
        look = looks.at(now[name]) if name in now else None
        if look is not None and look.content(everything) != recorded:
            yield f"made from another {name.removeprefix('results/')}"


def spec_changes(before: str, now: str) -> Iterator[str]:
    """Every key whose value differs between two specs: "base_lr 0.05 -> 0.1"."""
    if before == now:
        return
    old, new = (_flat(json.loads(text)) for text in (before, now))
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    for key in keys:
        yield f"{key} {old.get(key, '(none)')} -> {new.get(key, '(none)')}".strip()
    if not keys:
        yield "the same rows in another order"


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        flat: dict[str, str] = {}
        for key, inner in value.items():
            flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(value, list) and any(isinstance(row, dict) for row in value):
        return _flat({_row_name(i, row): row for i, row in enumerate(value)}, prefix)
    return {prefix: json.dumps(value)}


def _row_name(i: int, row: Any) -> str:
    """Rows of a list are known by run, seed and epoch where they have them."""
    if isinstance(row, dict) and {"run", "seed", "epoch"} <= row.keys():
        return f"{row['run']}/seed{row['seed']}/epoch{row['epoch']:04d}"
    return str(row.get("name", i)) if isinstance(row, dict) else str(i)


def some(names: Sequence[str]) -> str:
    """The first of these results or modules, and how many more there are."""
    names = [name.strip().removeprefix("results/") for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
