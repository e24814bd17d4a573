"""`make` where nothing is set up."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[3] / "Makefile"
# Of the `make` that runs this test: with it, the inner one would print more.
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


@pytest.mark.parametrize("target", ["why", "verify", "prune", "report", "watch"])
def test_questions_install_nothing(target: str, tmp_path: Path):
    shutil.copy(MAKEFILE, tmp_path)
    run = subprocess.run(["make", target], cwd=tmp_path, env=ALONE, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("there is no .venv yet: `make` sets it up")
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_a_config_file_is_checked_before_snakemake_reads_it(tmp_path: Path):
    shutil.copy(MAKEFILE, tmp_path)
    words = ["make", "-n", "-o", ".venv/installed", "CONFIG=mine.yaml"]
    run = subprocess.run(words, cwd=tmp_path, env=ALONE, capture_output=True, text=True)
    check, snakemake = run.stdout.splitlines()
    assert check.endswith("-m ssl_collapse.config.reading.file mine.yaml")
    assert snakemake.endswith("--configfile mine.yaml")
