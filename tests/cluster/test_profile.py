"""What the jobs ask a cluster for, as a dry run prints it; needs no cluster."""

import re
from pathlib import Path

from experiment import PROFILE, write_experiment
from snakemake_runs import succeed


def asked(folder: Path, device: str) -> dict[str, str]:
    """The resources of a job of each rule, where `runtime.device` is `device`."""
    keys = [f"runtime={{device: {device}}}", "evaluation={probe: {mode: full}}"]
    config = write_experiment(folder)
    printed = succeed(folder, "--dry-run", *PROFILE, "--config", *keys, config=config)
    jobs = re.findall(r"^ *(?:local)?rule (\w+):\n(?: +.*\n)*? +resources: (.*)$", printed, re.M)
    return dict(jobs)


def test_only_jobs_that_want_a_gpu_ask_for_one(tmp_path: Path):
    users = {rule for rule, resources in asked(tmp_path, "cuda").items() if "gpu=1" in resources}
    assert users == {"pretrain", "represent", "knn", "probe"}
    assert not [rule for rule, resources in asked(tmp_path, "cpu").items() if "gpu=1" in resources]


def test_every_submitted_job_asks_for_memory_and_time(tmp_path: Path):
    jobs = asked(tmp_path, "cpu")
    submitted = set(jobs) - {"all", "summarize", "figure", "report"}
    assert len(submitted) == 9 + 1  # the stages of the README's diagram, and textures
    for rule in submitted:
        assert re.search(r"mem_mb=\d+.*runtime=\d+", jobs[rule]), jobs[rule]
    # what can resume is told before its time is over
    told = {rule for rule in submitted if "slurm_extra=--signal=TERM@120" in jobs[rule]}
    assert told == {"pretrain", "probe"}
