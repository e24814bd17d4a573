"""The pipeline that faults are injected into: the smoke experiment with one seed, run to its end.

`--kills N` sets how many kills there are in all (100 by default); another `--first-seed` makes
others of them.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
NO_RESULTS = (".snakemake_timestamp", "speed.csv")  # dates and times, which no two runs share


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=100, help="kills in all")
    parser.addoption("--first-seed", type=int, default=0, help="seed of the first kill")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def first_seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--first-seed"))


def snakemake_command(folder: Path, *arguments: str) -> list[str]:
    """The command line that runs the workflow in `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--workflow-profile", str(ROOT / "profiles/default")]
    return [*command, "--configfile", str(folder / "config.yaml"), *arguments]


def snakemake(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the workflow in `folder` on two cores; what it prints is in `stdout`."""
    command = snakemake_command(folder, "--cores", "2", *arguments)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def write_config(folder: Path) -> None:
    """The smoke experiment with one seed: every stage and every schedule once."""
    config = yaml.safe_load((ROOT / "configs/smoke.yaml").read_text())
    config["defaults"]["seeds"] = [0]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline run to its end without a fault: what every other run must end with."""
    folder = tmp_path_factory.mktemp("finished")
    write_config(folder)
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout[-5000:]
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished pipeline, to be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Every result with its bytes, without logs and without what holds times.

    Files whose names begin with a dot count, too: none may be left behind.
    """
    results = folder / "results"
    content = {}
    for path in sorted(p for p in results.rglob("*") if p.is_file()):
        name = path.relative_to(results).as_posix()
        if name.startswith(("logs/", "state/arguments/")) or path.name in NO_RESULTS:
            continue
        content[name] = path.read_bytes()
    return content


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names that are missing, too many, or of other content."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]
