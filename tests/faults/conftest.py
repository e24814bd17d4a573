"""The pipeline that faults are injected into: the smoke experiment.

`--kills N` sets how many kills there are in all (20 by default, as in `make test`); another
`--first-seed` makes others of them.
"""

import shutil
from pathlib import Path

import pytest
from equal_results import contents
from snakemake_runs import SMOKE, Job, planned, succeed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="kills in all")
    parser.addoption("--first-seed", type=int, default=0, help="seed of the first kill")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def first_seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--first-seed"))


@pytest.fixture(scope="session")
def expected(smoke: Path) -> dict[str, bytes]:
    """Every result of the finished pipeline."""
    return contents(smoke / "results")


@pytest.fixture(scope="session")
def jobs(smoke: Path) -> list[Job]:
    """Every job of the pipeline, as Snakemake would run it."""
    return planned(succeed(smoke, "--forceall", "-n", config=SMOKE))


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """A copy of the finished pipeline, to be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(smoke, folder)
    return folder
