"""The workflow on a real SLURM, through profiles/slurm: same results, whatever SLURM does."""

import re
from itertools import pairwise

from equal_results import contents, differences
from experiment import Outcome
from snakemake_runs import succeed


def test_results_are_those_of_a_local_run(outcome: Outcome):
    mine, theirs = (contents(where / "results") for where in (outcome.folder, outcome.local))
    assert len([name for name in mine if name.endswith(".h5")]) == 2 + 3 * 2
    assert differences(mine, theirs) == []


def test_time_limit_saves_and_the_next_attempt_goes_on_there(outcome: Outcome):
    first, second = outcome.time_limit, outcome.scancel
    assert first.resumed is None, "the first submission starts at the beginning"
    assert first.saved and first.saved.step % 100 > 0, "saved in the middle of an epoch"
    assert second.resumed == first.saved
    assert job(outcome, first.job)["JobState"] in ("FAILED", "TIMEOUT")


def test_scancel_saves_and_the_next_attempt_goes_on_there(outcome: Outcome):
    second = outcome.scancel
    assert second.saved and second.resumed and second.saved > second.resumed
    log = (outcome.folder / "results/logs/long/seed0/pretrain.log").read_text()
    assert f"resumed at epoch {second.saved.epoch}, step {second.saved.step}" in log
    assert job(outcome, second.job)["JobState"] == "CANCELLED"


def test_every_attempt_asks_for_more_memory(outcome: Outcome):
    attempts = [job(outcome, number) for number in submissions(outcome)["pretrain", "long"]]
    assert [attempt["MinMemoryNode"] for attempt in attempts] == ["6000M", "12000M", "18000M"]


def test_tables_and_figures_are_made_where_snakemake_runs(outcome: Outcome):
    submitted = submissions(outcome)
    assert sorted(rule for rule, _ in submitted) == [
        "data_dataset_ordering_pack_textures",  # a group's name and its stages
        "epoch_collapse_export_checkpoint_knn_represent",
        "pretrain",
        "pretrain",
        "pretrain",
    ]
    # one for the data, three trainings of which one in three attempts, and three for their epochs
    assert len(outcome.jobs) == 1 + 5 + 3


def test_jobs_with_one_gpu_each_do_not_overlap_on_a_node_with_one(outcome: Outcome):
    on_gpu = [j for j in outcome.jobs if j.get("TresPerJob") == "gres:gpu:1"]
    # the trainings of current and hybrid, and the groups of all three runs
    assert len(on_gpu) == 2 + 3
    on_gpu.sort(key=lambda j: j["StartTime"])
    for earlier, later in pairwise(on_gpu):
        assert earlier["EndTime"] <= later["StartTime"]
    # one of them waited for the GPU, while the node had cores and memory for it
    assert any(later["SubmitTime"] < earlier["EndTime"] for earlier, later in pairwise(on_gpu))
    (beside,) = [job(outcome, outcome.time_limit.job)]
    assert any(
        j["StartTime"] < beside["EndTime"] and beside["StartTime"] < j["EndTime"] for j in on_gpu
    ), "a job without GPU runs beside one with"


def test_resources_make_nothing_run_again(outcome: Outcome):
    config = outcome.folder / "config.yaml"
    assert "Nothing to be done" in succeed(outcome.folder, "--dry-run", config=config)


def submissions(outcome: Outcome) -> dict[tuple[str, str], list[str]]:
    """SLURM's job numbers as submitted, by rule (and run, for a training) or group."""
    found: dict[tuple[str, str], list[str]] = {}
    pattern = r"SLURM jobid (\d+) \(log: \S*/(?:rule|group)_(\w+?)/(?:(\S+?)/)?\d+\.log\)"
    for number, rule, wildcards in re.findall(pattern, outcome.printed):
        run = wildcards.split("_")[0] if rule == "pretrain" else ""
        found.setdefault((rule, run), []).append(number)
    return found


def job(outcome: Outcome, number: str) -> dict[str, str]:
    (found,) = [j for j in outcome.jobs if j["JobId"] == number]
    return found
