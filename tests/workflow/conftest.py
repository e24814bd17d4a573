"""Snakemake run for real, in a folder of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def snakemake(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the workflow in `folder`; what it prints comes back as one text in `stdout`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--workflow-profile", str(ROOT / "profiles/default")]
    return subprocess.run(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished smoke experiment; its folder."""
    folder = tmp_path_factory.mktemp("smoke")
    config = str(ROOT / "configs/smoke.yaml")
    run = snakemake(folder, "--cores", "2", "--configfile", config)
    assert run.returncode == 0, run.stdout[-5000:]
    return folder
