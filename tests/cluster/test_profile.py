"""What the jobs ask a cluster for, as a dry run prints it; needs no cluster."""

import re
from pathlib import Path
from typing import Any

import yaml
from experiment import PROFILE, write_experiment
from snakemake_runs import succeed, write_config


def asked(folder: Path, **runtime: Any) -> dict[str, str]:
    """The resources of a job of each rule, with this `runtime` in the config."""
    config = yaml.safe_load(write_experiment(folder).read_text())
    config |= {"runtime": runtime, "evaluation": {"probe": {"mode": "full"}}}
    printed = succeed(folder, "--dry-run", *PROFILE, config=write_config(folder, config))
    jobs = re.findall(r"^ *(?:local)?rule (\w+):\n(?: +.*\n)*? +resources: (.*)$", printed, re.M)
    return dict(jobs)


def test_only_jobs_that_want_a_gpu_ask_for_one(tmp_path: Path):
    for device, expected in (("cuda", {"pretrain", "represent", "knn", "probe"}), ("cpu", set())):
        jobs = asked(tmp_path, device=device)
        assert {rule for rule, resources in jobs.items() if "gpu=1" in resources} == expected


def test_a_training_asks_for_all_its_gpus(tmp_path: Path):
    assert "gpu=2" in asked(tmp_path, device="cuda", gpus=2)["pretrain"]


def test_every_submitted_job_asks_for_memory_and_time(tmp_path: Path):
    jobs = asked(tmp_path, device="cpu")
    submitted = set(jobs) - {"all", "summarize", "figure", "report"}
    assert len(submitted) == 9 + 1  # the stages of the README's diagram, and textures
    for rule in submitted:
        assert re.search(r"mem_mb=\d+.*runtime=\d+", jobs[rule]), jobs[rule]
