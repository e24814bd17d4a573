"""When a job of a cluster leaves by itself, and when it is tried again."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_executor_plugins.settings import ExecMode

from engine.time_limit import Tries, time_limit


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
