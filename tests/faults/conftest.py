"""The pipeline that faults are injected into: the smoke experiment with one seed, run to its end.

`--kills N` sets how many kills there are in all (20 by default, as in `make test`); another
`--first-seed` makes others of them.
"""

import shutil
from pathlib import Path

import pytest
from equal_results import contents
from snakemake_runs import Job, planned, succeed
from stage import one_seed


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
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline run to its end without a fault: what every other run must end with."""
    folder = tmp_path_factory.mktemp("finished")
    succeed(folder, "--cores", "2", config=one_seed(folder))
    return folder


@pytest.fixture(scope="session")
def expected(finished: Path) -> dict[str, bytes]:
    """Every result of the finished pipeline."""
    return contents(finished / "results")


@pytest.fixture(scope="session")
def jobs(finished: Path) -> list[Job]:
    """Every job of the pipeline, as Snakemake would run it."""
    return planned(succeed(finished, "--forceall", "-n", config=finished / "config.yaml"))


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished pipeline, to be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    return folder
