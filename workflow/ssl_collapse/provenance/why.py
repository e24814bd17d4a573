"""Snakemake's plan in words: one line per job that would run, with the reason for it.

What runs is Snakemake's own answer, read from its dry run; why it runs is worked out from the
sidecar of the earlier result and what the job would be given now.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_collapse.provenance.code import module_digests
from ssl_collapse.provenance.sidecar import Request, Sidecar, named, read_sidecar

_BLOCK = re.compile(
    r"^(?:local)?rule (?P<rule>\w+):\n(?P<body>(?:    .*\n)*)(?:Shell command: (?P<shell>.*)\n)?",
    re.MULTILINE,
)
_SHOWN = 3


@dataclass(frozen=True)
class Job:
    """One job of a dry run."""

    rule: str
    reason: str
    shell: str

    def request(self) -> Request | None:
        """What the job would write into its sidecars; None for a job that writes none."""
        words = shlex.split(self.shell)
        if "--provenance" not in words:
            return None
        text = words[words.index("--provenance") + 1]
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        return Request.model_validate_json(text)

    def script(self) -> Path:
        """The script that the job would run."""
        return next(Path(word) for word in shlex.split(self.shell) if word.endswith(".py"))


def planned_jobs(dry_run: str) -> Iterator[Job]:
    """The jobs in the output of `snakemake -n -p`, in its order."""
    for match in _BLOCK.finditer(dry_run):
        reason = re.search(r"^    reason: (.*)$", match["body"], re.MULTILINE)
        if "\n    output: " in f"\n{match['body']}":  # not `all`, whatever a module calls it
            yield Job(match["rule"], reason[1] if reason else "", match["shell"] or "")


def explain(job: Job) -> str:
    """One line: what would be made, and why."""
    request = job.request()
    if request is None:
        return f"{job.rule}: {job.reason}"
    output = request.outputs[0].removeprefix("results/")
    return f"{_place(request.rule, output)}: {_why(job, request)}"


def _place(rule: str, output: str) -> str:
    """The run for its training, else the result itself."""
    return output.rpartition("/")[0] if rule == "pretrain" else output


def _why(job: Job, request: Request) -> str:
    earlier = read_sidecar(Path(request.outputs[0]))
    if job.reason.startswith("Missing output") or not Path(request.outputs[0]).exists():
        return "not there yet"
    if earlier is not None:
        changes = [*spec_changes(earlier.spec, request.spec)]
        changes += _code_changes(earlier, request, job.script())
        if changes:
            more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            return "; ".join(changes[:_SHOWN]) + more
    if match := re.match(r"Input files updated by another job: (.*)", job.reason):
        return f"made from {_some(match[1].split(', '))}, which will be made again"
    if match := re.match(r"Updated input files: (.*)", job.reason):
        return f"made from {_some(match[1].split(', '))}, which changed"
    if match := re.match(r"Set of input files has changed", job.reason):
        before = set(earlier.inputs) if earlier else set()
        now = {named(path, request.results) for path in request.inputs}
        added, gone = sorted(now - before), sorted(before - now)
        parts = [f"{what} {_some(paths)}" for what, paths in (("+", added), ("-", gone)) if paths]
        return f"its inputs are others: {', '.join(parts)}"
    if "Params have changed" in job.reason:
        return "its provenance does not fit it; made again to be sure"
    return job.reason


def spec_changes(before: str, now: str) -> Iterator[str]:
    """Every key whose value differs between two specs: "base_lr 0.05 -> 0.1"."""
    old, new = (_flat(json.loads(text)) for text in (before, now))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key, "(none)") != new.get(key, "(none)"):
            yield f"{key} {old.get(key, '(none)')} -> {new.get(key, '(none)')}".strip()


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        flat: dict[str, str] = {}
        for key, part in value.items():
            flat |= _flat(part, f"{prefix}.{key}" if prefix else str(key))
        return flat
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return _flat({_row_name(i, part): part for i, part in enumerate(value)}, prefix)
    return {prefix: json.dumps(value)}


def _row_name(i: int, part: Any) -> str:
    """Rows of a list are known by run, seed and epoch where they have them."""
    if isinstance(part, dict) and {"run", "seed", "epoch"} <= part.keys():
        return f"{part['run']}/seed{part['seed']}/epoch{part['epoch']:04d}"
    return str(part.get("name", i)) if isinstance(part, dict) else str(i)


def _code_changes(earlier: Sidecar, request: Request, script: Path) -> list[str]:
    if earlier.code == request.code:
        return []
    now = module_digests(script, script.parents[1], tuple(request.plugins))
    names = now.keys() | earlier.modules.keys()
    differing = sorted(name for name in names if now.get(name) != earlier.modules.get(name))
    return [f"code changed: {_some(differing)}"]


def _some(names: list[str]) -> str:
    names = [name.strip().removeprefix("results/") for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
