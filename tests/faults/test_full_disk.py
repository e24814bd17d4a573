"""A disk that fills up: a limit on the size of files stands in for it, job by job."""

import resource
from pathlib import Path

import pytest
from equal_results import contents, differences
from snakemake_runs import Job
from stage import Running, preload, remove_outputs

SAMPLE = ("pack", "pretrain", "report")  # what `make test` tries
OTHERS = (
    *("textures", "dataset", "ordering", "export_checkpoint", "represent"),
    *("knn", "collapse", "summarize", "figure"),
)
STAGES = [*SAMPLE, *(pytest.param(stage, marks=pytest.mark.thorough) for stage in OTHERS)]


@pytest.fixture(scope="module")
def job_of(jobs: list[Job]) -> dict[str, Job]:
    """One job of each stage."""
    preload()
    return {job.rule: job for job in jobs}


def largest_file(output: Path) -> int:
    files = [p for p in output.rglob("*") if p.is_file()] if output.is_dir() else [output]
    return max(file.stat().st_size for file in files)


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_leaves_earlier_results_and_no_partial_new_one(
    copy: Path, expected: dict[str, bytes], job_of: dict[str, Job], stage: str
):
    job = job_of[stage]
    room = max(largest_file(copy / output) for output in job.outputs) // 2
    remove_outputs(job, copy)
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))  # noqa: E731
    code = Running(job, copy, full).wait()
    message = (copy / "stderr").read_text()
    assert code == 2, f"{code}: {message}"
    assert "the disk or the quota is full" in message
    assert "Traceback" not in message
    wrong = differences(contents(copy / "results"), expected)
    own = [Path(output).relative_to("results").as_posix() for output in job.outputs]
    foreign = [name for name in wrong if not name.startswith((*own, "state/"))]
    assert not foreign, "earlier results were touched, or something was left behind"
    present = [output for output in job.outputs if (copy / output).exists()]
    assert all(not differences_of(copy, expected, output) for output in present)
    assert Running(job, copy).wait() == 0, (copy / "stderr").read_text()  # with space again
    assert not differences(contents(copy / "results"), expected)


def differences_of(copy: Path, expected: dict[str, bytes], output: str) -> list[str]:
    """How one output that is there differs from what it should be."""
    name = Path(output).relative_to("results").as_posix()
    found, wanted = (
        {k: v for k, v in results.items() if k == name or k.startswith(f"{name}/")}
        for results in (contents(copy / "results"), expected)
    )
    return differences(found, wanted)
