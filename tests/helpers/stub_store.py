"""What tests of the store do with the miniature of `stub_workflow`."""

import os
from pathlib import Path

from stub_workflow import StubWorkflow

from ssl_collapse.provenance.record import Record

OF_A = ["train a", "represent a", "measure a"]


OF_B = ["train b", "represent b", "measure b"]


def elsewhere(workflow: StubWorkflow, folder: str) -> StubWorkflow:
    """The same experiment in another folder with the same store, nothing of it made."""
    other = StubWorkflow(workflow.folder.parent / folder, store=workflow.store)
    other.config, other.everyone = workflow.config, workflow.everyone
    return other


def entries(workflow: StubWorkflow) -> list[Path]:
    assert workflow.store
    return sorted(path.parent for path in workflow.store.glob("??/*/*/manifest.json"))


def entry_of(workflow: StubWorkflow, *result: str) -> Path:
    """The entry that holds the same file as a result."""
    inode = workflow.path(*result).stat().st_ino
    return next(e for e in entries(workflow) if (e / "out/0").stat().st_ino == inode)


def check(workflow: StubWorkflow) -> None:
    """All results are those of a clean computation, current, and none is read again."""
    assert all(path.read_text() == text for path, text in workflow.clean().items())
    assert workflow.plan() == []


# --- damage ---------------------------------------------------------------------------------------
def edit_in_place(path: Path, text: str) -> None:
    """Other bytes under every name of a file, with its date, as an editor of disks would."""
    status = path.stat()
    with path.open("r+") as file:
        file.write(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# --- several at once ------------------------------------------------------------------------------
def job_of(workflow: StubWorkflow, name: str) -> Record:
    stage, _, run = name.partition(" ")
    job = next(job for s, r, job in workflow.jobs() if (s, r) == (stage, run))
    return Record(workflow.request(job), job.spec, job.script, workflow.folder)


def leftovers(workflow: StubWorkflow) -> list[Path]:
    return [path for path in workflow.folder.parent.rglob("*") if path.name.endswith(".tmp")]


def links(entry: Path) -> int:
    return (entry / "out/0").stat().st_nlink
