"""The smoke experiment, run for real."""

from pathlib import Path

import pytest
from snakemake_runs import SMOKE, succeed


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished smoke experiment; its folder."""
    folder = tmp_path_factory.mktemp("smoke")
    succeed(folder, "--cores", "2", config=SMOKE)
    return folder
