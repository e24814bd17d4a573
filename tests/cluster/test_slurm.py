"""The workflow on a real SLURM, through profiles/slurm: same results, whatever SLURM does."""

import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from equal_results import contents, differences
from experiment import Outcome
from slurm import Slurm
from snakemake_runs import ROOT, succeed

from ssl_collapse.provenance.sidecar import read_sidecar
from ssl_collapse.runtime.errors import INTERRUPTED


@pytest.fixture
def outcome(outcomes: list[Outcome]) -> Outcome:
    """The experiment."""
    return outcomes[0]


@pytest.fixture
def probed(outcomes: list[Outcome]) -> Outcome:
    """The one with arrays and a probe."""
    return outcomes[1]


def test_results_are_those_of_a_local_run(outcomes: list[Outcome]):
    for outcome, files in zip(outcomes, (2 + 4 * 2, 2), strict=True):
        mine, theirs = (contents(where / "results") for where in (outcome.folder, outcome.local))
        assert len([name for name in mine if name.endswith(".h5")]) == files
        assert differences(mine, theirs) == []


def test_at_its_time_limit_a_training_saves_and_goes_on(outcome: Outcome):
    first, second, third = outcome.interruptions[:3]
    assert first.resumed is None, "the first submission starts at the beginning"
    assert second.resumed == first.saved and third.resumed == second.saved
    assert first.saved and second.saved and first.saved < second.saved
    for one in (first, second):
        assert one.left, "in the middle of an epoch, by itself"
        assert outcome.job(one.job)["JobState"] in ("FAILED", "TIMEOUT")


def test_after_scancel_it_goes_on_where_it_had_saved(outcome: Outcome):
    third = outcome.interruptions[2]
    log = (outcome.folder / "results/logs/long/seed0/pretrain.log").read_text()
    assert third.saved
    assert f"resumed at epoch {third.saved.epoch}, step {third.saved.step}" in log
    assert outcome.job(third.job)["JobState"] == "CANCELLED"


def test_interruptions_use_up_no_retry_and_ask_for_no_more_memory(outcome: Outcome):
    numbers = outcome.submissions()["pretrain", "long"]
    assert [interruption.job for interruption in outcome.interruptions[:3]] == numbers[:3]
    memory = [outcome.job(number)["MinMemoryNode"] for number in numbers]
    assert memory == ["6000M"] * 4  # one retry was allowed


def test_a_requeued_training_goes_on_under_the_same_number(outcome: Outcome):
    moved = outcome.interruptions[3]
    log = (outcome.folder / "results/logs/moved/seed0/pretrain.log").read_text()
    assert moved.saved
    assert f"resumed at epoch {moved.saved.epoch}, step {moved.saved.step}" in log
    assert outcome.job(moved.job)["Restarts"] == "1"
    assert outcome.submissions()["pretrain", "moved"] == [moved.job]


def test_two_gpus_are_one_task(outcome: Outcome):
    moved = outcome.interruptions[3]
    assert (moved.processes, moved.gpus) == (1, "0,1")
    assert outcome.job(moved.job)["TresPerJob"] == "gres:gpu:2"
    assert outcome.job(moved.job)["NumTasks"] == "1"


def test_no_more_gpus_are_used_than_there_are(outcome: Outcome):
    asked = {j["JobId"]: int(j.get("TresPerJob", "0").split(":")[-1]) for j in outcome.jobs}
    assert sorted(filter(None, asked.values())) == [1, 1, 2]  # of current, hybrid and moved
    for at in {j["StartTime"] for j in outcome.jobs}:
        assert sum(asked[j["JobId"]] for j in outcome.jobs if ran(j, at)) <= 2


def ran(job: dict[str, str], at: str) -> bool:
    return job["StartTime"] <= at < job["EndTime"]


def test_a_probe_goes_on_after_too_little_memory_and_too_little_time(slurm: Slurm, probed: Outcome):
    (interrupted,) = probed.interruptions
    assert interrupted.left and interrupted.resumed is None
    log = (probed.folder / "results/logs/seeds/seed0/epoch0001/probe.log").read_text()
    assert interrupted.saved
    assert f"resumed at epoch {interrupted.saved.epoch}, step {interrupted.saved.step}" in log
    attempts = [probed.job(number) for number in probed.submissions()["probe", ""]]
    if slurm.cgroups:
        assert [a["MinMemoryNode"] for a in attempts] == ["100M", "1600M", "8100M"]
        assert attempts[0]["JobState"] == "OUT_OF_MEMORY"


def test_a_job_leaves_before_a_limit_that_kills(probed: Outcome):
    job = probed.job(probed.interruptions[0].job)
    assert (job["Partition"], job["TimeLimit"]) == ("hard", "00:02:00")
    assert job["JobState"] == "FAILED", "by its own exit code: SLURM would say TIMEOUT"
    start, end = (datetime.fromisoformat(job[key]) for key in ("StartTime", "EndTime"))
    assert end - start < timedelta(minutes=2)


def test_trainings_of_several_seeds_are_one_array(probed: Outcome):
    (tasks,) = re.findall(r"Submitted array job .*?task IDs are (\S+)\.", probed.printed)
    assert tasks == "1-3"
    assert len([j for j in probed.jobs if "ArrayTaskId" in j]) == 3


def test_tables_and_figures_are_made_where_snakemake_runs(outcome: Outcome):
    assert sorted(rule for rule, _ in outcome.submissions()) == [
        "data_dataset_ordering_pack_textures",  # a group's name and its stages
        "epoch_collapse_export_checkpoint_knn_represent",
        *["pretrain"] * 4,
    ]


def test_resources_make_nothing_run_again(outcome: Outcome):
    config = outcome.folder / "config.yaml"
    assert "Nothing to be done" in succeed(outcome.folder, "--dry-run", config=config)


def test_two_ranks_leave_together_and_go_on(slurm: Slurm, outcome: Outcome, tmp_path: Path):
    data = outcome.local / "results/data/textures"
    sidecar = read_sidecar(outcome.local / "results/runs/current/seed0/training.csv")
    options = [ROOT / "workflow/scripts/pretrain.py", "--spec", sidecar.spec, "--gpus", 2]
    options += ["--images", data / "train.h5", "--ordering", data / "ordering-seed0.npy"]
    command = [sys.executable, *options, "--device", "cpu", "--state", "state"]
    command += ["--training", "training.csv", "--checkpoints", "checkpoints"]
    line = f"PYTHONPATH={ROOT / 'workflow'} {shlex.join(map(str, command))}"

    def submit(folder: Path, more: str) -> int:
        folder.mkdir(exist_ok=True)
        batch = ["sbatch", "--wait", "--mem=4000", "--time=10", f"--wrap=exec env {line} {more}"]
        return subprocess.run(batch, cwd=folder, env=slurm.environment).returncode

    with ThreadPoolExecutor() as pool:
        whole = pool.submit(submit, tmp_path / "whole", "")
        assert submit(tmp_path / "cut", "--stop-at $(date +%s)") == INTERRUPTED  # after one step
        assert (tmp_path / "cut/state").exists()
        assert submit(tmp_path / "cut", "") == whole.result() == 0
    found, expected = (contents(tmp_path / name) for name in ("cut", "whole"))
    logs = [name for name in found if name.startswith("slurm-")]
    assert "resumed at epoch 0, step 1" in found[max(logs)].decode()
    weights = [name for name in expected if name.startswith("checkpoints/")]
    assert len(weights) == 5
    assert all(found[name] == expected[name] for name in [*weights, "training.csv"])
