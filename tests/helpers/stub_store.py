"""What tests of the store do with the miniature of `stub_workflow`."""

import os
from pathlib import Path

from stub_workflow import StubWorkflow

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


def edit_in_place(path: Path, text: str) -> None:
    """Other bytes under every name of a file, with its date, as an editor of disks would."""
    status = path.stat()
    with path.open("r+") as file:
        file.write(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
