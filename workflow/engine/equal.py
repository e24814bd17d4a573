"""Which codes give equal bytes: a miniature computed with this code and with an earlier one.

    python -m engine.equal REF [--check]        (make equal REF=...)

Every stage runs on equal inputs in both. Where its code differs and its bytes do not, the two codes
are recorded as equal (`provenance/equal_code.json`), and results of the one are results of the
other. A stage whose bytes differ is named: that belongs into CHANGELOG, "Results that change". With
--check nothing is recorded, and bytes that differ where the codes are equal are an error: then what
only carries has decided.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ssl_collapse.provenance.code import EQUAL
from ssl_collapse.provenance.content import digest
from ssl_collapse.provenance.sidecar import SUFFIX
from ssl_collapse.runtime.command_line import explain, set_up_logging
from ssl_collapse.runtime.errors import FAILED, UserError
from ssl_collapse.runtime.files import write_json

ROOT = Path(__file__).parents[2]
MINIATURE = "configs/equal.yaml"


@dataclass(frozen=True)
class Made:
    """One result: the stage and the code that made it, from which bytes, and its own."""

    rule: str
    code: str
    inputs: tuple[tuple[str, str], ...]
    sha256: str


def results_of(folder: Path) -> dict[str, Made]:
    """Every result under a folder, by its name."""
    made = {}
    for sidecar in sorted(folder.rglob(f"*{SUFFIX}")):
        path = sidecar.with_name(sidecar.name.removesuffix(SUFFIX))
        content = json.loads(sidecar.read_text("utf-8"))
        files = [(name, folder.parent / name) for name in sorted(content["inputs"])]
        inputs = tuple((name, digest(file)) for name, file in files if file.exists())
        name = path.relative_to(folder).as_posix()
        made[name] = Made(content["rule"], content["code"], inputs, digest(path))
    return made


@dataclass(frozen=True)
class Compared:
    """One stage with one pair of codes: the results that agree, differ, and cannot be told."""

    rule: str
    before: str
    now: str
    equal: tuple[str, ...]
    differing: tuple[str, ...]
    untold: tuple[str, ...]  # their inputs differ already


def compare(before: Mapping[str, Made], now: Mapping[str, Made]) -> Iterator[Compared]:
    """Both computations of the miniature, stage by stage."""
    names = [n for n in now if n in before and now[n].rule != "report"]  # tells times
    pairs = sorted({(now[n].rule, before[n].code, now[n].code) for n in names})
    for rule, old, new in pairs:
        mine = [n for n in names if (now[n].rule, before[n].code, now[n].code) == (rule, old, new)]
        told = [n for n in mine if before[n].inputs == now[n].inputs]
        same = [n for n in told if before[n].sha256 == now[n].sha256]
        differing = [n for n in told if n not in same]
        untold = [n for n in mine if n not in told]
        yield Compared(rule, old, new, tuple(same), tuple(differing), tuple(untold))


def with_class(
    classes: Mapping[str, list[list[str]]], rule: str, before: str, now: str
) -> dict[str, list[list[str]]]:
    """The classes of equal codes with these two codes of a stage in one, the older first."""
    joined: list[str] = []
    rest = []
    for members in classes.get(rule, []):
        if before in members or now in members:
            joined += members
        else:
            rest.append(members)
    joined += [code for code in (before, now) if code not in joined]
    return {**classes, rule: [*rest, joined]}


def compute(tree: Path, config: Path, folder: Path) -> dict[str, Made]:
    """Run the miniature of a config with the code of `tree` in a new folder."""
    folder.mkdir()
    command = [sys.executable, "-m", "snakemake", "--snakefile", tree / "Snakefile"]
    command += ["--workflow-profile", tree / "profiles/default", "--directory", folder]
    command += ["--configfile", config, "--cores", "2", "--quiet", "all"]
    run = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if run.returncode:
        raise UserError(
            f"the miniature does not run with the code in {tree}:\n{run.stderr[-3000:]}"
        )
    return results_of(folder / "results")


def lay_out(ref: str, folder: Path) -> Path:
    """The sources of a commit."""
    git = ["git", "-C", str(ROOT), "archive", ref]
    archive = subprocess.run(git, capture_output=True)
    if archive.returncode:
        raise UserError(f"{ref}: no commit or tag of this repository")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as sources:
        sources.extractall(folder, filter="data")
    return folder


def main(ref: str, check: bool) -> int:
    """Compute, compare and say; returns the exit code."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        sources = lay_out(ref, place / "sources")
        # the earlier code's own miniature: what came since has nothing to be compared with
        before = compute(sources, sources / MINIATURE, place / "before")
        now = compute(ROOT, sources / MINIATURE, place / "now")
    classes = json.loads(EQUAL.read_text("utf-8"))
    wrong = False
    for stage in compare(before, now):
        if stage.before == stage.now and not stage.differing:
            continue
        print(f"{stage.rule} {stage.before[:12]} -> {stage.now[:12]}: {_said(stage)}")
        wrong |= stage.before == stage.now and bool(stage.differing)
        if stage.before != stage.now and not (stage.differing or stage.untold):
            classes = with_class(classes, stage.rule, stage.before, stage.now)
    if not check:
        write_json(EQUAL, classes)
    if wrong:
        print("equal code has given other bytes: something that only carries has decided")
    return FAILED if wrong else 0


def _said(stage: Compared) -> str:
    if stage.differing:
        return f"bytes differ in {', '.join(stage.differing)}"
    if stage.untold:
        return f"cannot be told, its inputs differ: {', '.join(stage.untold)}"
    return f"equal bytes in all {len(stage.equal)} results"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ref", help="commit or tag to compare with")
    parser.add_argument("--check", action="store_true", help="record nothing")
    given = parser.parse_args()
    set_up_logging(None)
    try:
        sys.exit(main(given.ref, given.check))
    except UserError as error:
        sys.exit(explain(error))
