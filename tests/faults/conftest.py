"""The pipeline that faults are injected into: the smoke experiment with one seed, run to its end.

`--kills N` sets how many kills there are in all (100 by default); another `--first-seed` makes
others of them.
"""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TIMED = ("images_per_second", "seconds")  # columns of training.csv that no two runs share


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

    Times are in two columns of training.csv, and so its digest is another in the sidecars of what
    was made from it. Files whose names begin with a dot count, too: none may be left behind.
    """
    results = folder / "results"
    content = {}
    for path in sorted(p for p in results.rglob("*") if p.is_file()):
        name = path.relative_to(results).as_posix()
        if name.startswith(("logs/", "state/arguments/")) or path.name == ".snakemake_timestamp":
            continue
        content[name] = _untimed(path)
    return content


def _untimed(path: Path) -> bytes:
    if path.name == "training.csv":
        with path.open(newline="") as file:
            rows = [{k: v for k, v in r.items() if k not in TIMED} for r in csv.DictReader(file)]
        return repr(rows).encode()
    if path.name in ("training.csv.provenance.json", "summary.csv.provenance.json"):
        lines = path.read_text().splitlines()
        timed = ("training.csv", '"sha256"', '"bytes"')
        return "\n".join(x for x in lines if not any(t in x for t in timed)).encode()
    return path.read_bytes()


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names that are missing, too many, or of other content."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]
