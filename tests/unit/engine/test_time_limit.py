"""When a job of a cluster leaves by itself, and when it is tried again."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_executor_plugins.settings import ExecMode

from engine.time_limit import Tries, end_of_job, time_limit


@pytest.mark.parametrize(
    ("minutes", "before"),
    [
        (240, 90),  # a minute to save in, and half a minute for what ran before
        (2, 60),  # half of a limit that is shorter than twice that
    ],
)
def test_a_job_of_a_cluster_leaves_before_its_limit(minutes: int, before: int):
    options = time_limit(SimpleNamespace(exec_mode=ExecMode.REMOTE))
    name, value = options(SimpleNamespace(runtime=minutes, get=lambda key: minutes))
    assert name == "--stop-at"
    assert float(value) - time.time() == pytest.approx(60 * minutes - before, abs=2)


@pytest.mark.parametrize(
    ("environment", "answer", "end"),
    [
        ({}, "1970-01-01T00:01:00", None),
        ({"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": "90"}, "1970-01-01T00:01:00", 90),
        ({"SLURM_JOB_ID": "7"}, "1970-01-01T00:01:00", 60),
        ({"SLURM_JOB_ID": "7"}, "NONE", None),  # no limit
        ({"SLURM_JOB_ID": "7"}, "", None),  # squeue failed
    ],
)
def test_slurm_knows_when_a_job_ends(
    environment: dict[str, str],
    answer: str,
    end: float | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    (tmp_path / "squeue").write_text(f'#!/bin/sh\n[ "$2" = --jobs=7 ] && echo "{answer}"\n')
    (tmp_path / "squeue").chmod(0o755)
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "PATH": str(tmp_path), "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    assert end_of_job() == end
    options = time_limit(SimpleNamespace(exec_mode=ExecMode.REMOTE))
    expected = end if end is not None else time.time() + 120
    found = float(options(SimpleNamespace(runtime=2, get=lambda key: 2))[1])
    assert found == pytest.approx(expected - 60, abs=2)


def test_beside_snakemake_runtime_is_no_limit():
    options = time_limit(SimpleNamespace(exec_mode=ExecMode.DEFAULT))
    assert options(SimpleNamespace(runtime=1, get=lambda key: 1)) == []


def test_an_attempt_that_made_progress_uses_up_no_try(tmp_path: Path):
    state = tmp_path / "iid/seed0/training-1234"
    state.mkdir(parents=True)
    (state / "place").write_text("epoch 1, step 5\n")  # from an earlier invocation
    tries = Tries(tmp_path, {"rule": "pretrain"})
    job = SimpleNamespace(rule="rule", wildcards=SimpleNamespace(run="iid", seed="0"), attempt=1)
    assert tries(job) == 0, "it stands where it stood before"
    job.attempt = 2
    (state / "place").write_text("epoch 1, step 9\n")
    assert tries(job) == tries(job) == 1, "asked twice, counted once"
    job.attempt = 3
    assert tries(job) == 1, "no step since"
    probe = SimpleNamespace(rule="probe", wildcards=job.wildcards, attempt=1)
    assert Tries(tmp_path, {"probe": "probe"})(probe) == 0, "a training's progress is not a probe's"
    assert tries.made("training", job.wildcards) == 1
    assert tries.made("probe", job.wildcards) == 0


def test_what_is_known_elsewhere_is_seen_before_it_is_counted(tmp_path: Path):
    def see(folder: Path) -> None:
        state = tmp_path / "iid/seed0/training-1234"
        state.mkdir(parents=True, exist_ok=True)
        (state / "place").write_text(f"epoch 1, step {len(seen)}\n")
        seen.append(folder)

    seen: list[Path] = []
    tries = Tries(tmp_path, {"rule": "pretrain"}, see)
    job = SimpleNamespace(rule="rule", wildcards=SimpleNamespace(run="iid", seed="0"), attempt=1)
    assert tries(job) == 1
    assert seen == [tmp_path, tmp_path / "iid/seed0"]
