"""A disk that fills up: a limit on the size of files stands in for it, job by job."""

import resource
from pathlib import Path

import pytest
from conftest import differences, snakemake, tree
from stage import Job, Running, jobs, preload, remove_outputs

STAGES = (
    *("textures", "dataset", "pack", "ordering", "pretrain", "export_checkpoint", "represent"),
    *("knn", "collapse", "summarize", "figure", "report"),
)


@pytest.fixture(scope="module")
def planned(finished: Path) -> dict[str, Job]:
    preload()
    found = jobs(snakemake(finished, "--forceall", "-n", "-p").stdout)
    return {job.stage: job for job in found}


def largest_file(output: Path) -> int:
    files = [p for p in output.rglob("*") if p.is_file()] if output.is_dir() else [output]
    return max(file.stat().st_size for file in files)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_leaves_earlier_results_and_no_partial_new_one(
    copy: Path, finished: Path, planned: dict[str, Job], stage: str
):
    job = planned[stage]
    room = max(largest_file(copy / output) for output in job.outputs) // 2
    remove_outputs(job, copy)
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))  # noqa: E731
    code = Running(job, copy, full).wait()
    message = (copy / "stderr").read_text()
    assert code == 2, f"{code}: {message}"
    assert "the disk or the quota is full" in message
    assert "Traceback" not in message
    wrong = differences(tree(copy), tree(finished))
    own = [Path(output).relative_to("results").as_posix() for output in job.outputs]
    foreign = [name for name in wrong if not name.startswith((*own, "state/"))]
    assert not foreign, "earlier results were touched, or something was left behind"
    present = [output for output in job.outputs if (copy / output).exists()]
    assert all(not differences_of(copy, finished, output) for output in present)
    assert Running(job, copy).wait() == 0, (copy / "stderr").read_text()  # with space again
    assert not differences(tree(copy), tree(finished))


def differences_of(copy: Path, finished: Path, output: str) -> list[str]:
    """How one output that is there differs from what it should be."""
    name = Path(output).relative_to("results").as_posix()
    found, expected = (
        {k: v for k, v in tree(folder).items() if k == name or k.startswith(f"{name}/")}
        for folder in (copy, finished)
    )
    return differences(found, expected)
