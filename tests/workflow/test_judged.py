"""What runs again, by Snakemake itself, on the finished smoke experiment.

The rules of it are tested in tests/unit/provenance; here stands that Snakemake follows them.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from snakemake_runs import ROOT, SMOKE, finish, snakemake, succeed


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The results alone, as a colleague would send them: no .snakemake/, all dates new."""
    shutil.copytree(smoke / "results", tmp_path / "results", copy_function=shutil.copyfile)
    return tmp_path


def command(name: str, folder: Path, config: Path = SMOKE) -> tuple[int, list[str]]:
    """What `why` or `verify` says."""
    script = ROOT / f"workflow/scripts/{name}.py"
    words = [sys.executable, script, "--snakefile", ROOT / "Snakefile", "--directory", folder]
    words += ["--workflow-profile", ROOT / "profiles/default", "--configfile", config]
    run = finish([*map(str, words)], folder)
    return run.returncode, run.stdout.splitlines()


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file but Snakemake's own, with its dates and bytes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".snakemake" not in path.parts
    }


def test_copied_results_are_current_and_a_dry_run_writes_nothing(copy: Path):
    before = tree(copy)
    assert "Nothing to be done" in succeed(copy, "-n", config=SMOKE)
    assert tree(copy) == before


def test_a_dry_run_writes_nothing_where_much_would_run(copy: Path):
    shutil.rmtree(copy / "results/runs/iid")
    (copy / "results/data/textures/dataset.json").write_text("{")
    before = tree(copy)
    succeed(copy, "-n", config=SMOKE)
    assert tree(copy) == before


def test_why_names_key_and_values_causes_first(copy: Path, tmp_path: Path):
    other = tmp_path / "other.yaml"
    other.write_text(SMOKE.read_text().replace("accumulate: {", "accumulate: {base_lr: 0.1, "))
    lines = command("why", copy, other)[1]
    assert lines[0] == "runs/accumulate/seed0: base_lr 0.05 -> 0.1"
    assert lines[-1].startswith("report.html: made from ")
    assert not [line for line in lines if line.startswith("runs/iid")]


def test_every_result_is_a_target_and_a_missing_one_a_reason(copy: Path):
    name = "runs/iid/seed0/epoch0004/knn.csv"
    (copy / "results" / name).unlink()
    assert command("why", copy)[1][0] == f"{name}: {name} is missing; in the store"
    assert "knn              1" in succeed(copy, "-n", config=SMOKE)


def test_verify_reads_every_byte_and_names_what_differs(copy: Path):
    code, lines = command("verify", copy)
    assert (code, lines) == (0, ["all images and results that are there are as recorded"])
    result = copy / "results/runs/iid/seed0/epoch0004/representations-val.h5"
    status = result.stat()
    content = bytearray(result.read_bytes())
    content[-5] ^= 1
    result.write_bytes(content)
    os.utime(result, ns=(status.st_atime_ns, status.st_mtime_ns))
    code, lines = command("verify", copy)
    assert code == 2
    assert lines[0] == (
        "runs/iid/seed0/epoch0004/representations-val.h5: "
        "representations-val.h5 was changed after it was made"
    )


@pytest.mark.thorough
def test_records_of_snakemake_are_not_needed_and_may_be_damaged(copy: Path):
    succeed(copy, "--cores", "1", config=SMOKE)
    (copy / "results/runs/iid/seed0/epoch0004/knn.json").unlink()
    succeed(copy, "--cores", "1", config=SMOKE)
    for record in (copy / ".snakemake/metadata").rglob("*"):
        if record.is_file():
            record.write_text("")  # as after a power cut
    assert "Nothing to be done" in succeed(copy, "-n", config=SMOKE)


def test_an_unknown_target_gets_one_line(copy: Path):
    run = snakemake(copy, "-n", "results/runs/iidd/seed0/training.csv", config=SMOKE)
    assert run.returncode == 2
    meant = "did you mean results/runs/iid/seed0/training.csv?"
    assert meant in run.stdout.splitlines()[-1] and "Traceback" not in run.stdout


def test_dates_are_not_to_decide(copy: Path):
    run = snakemake(copy, "-n", "--rerun-triggers", "mtime", config=SMOKE)
    assert run.returncode == 2
    assert "judged by what is recorded beside them, never by dates" in run.stdout


def test_sidecars_are_the_same_bytes_and_name_no_place(smoke: Path):
    sidecar = smoke / "results/runs/iid/seed0/epoch0004/knn.json.provenance.json"
    content = json.loads(sidecar.read_text())
    assert set(content["inputs"]) == {
        f"results/runs/iid/seed0/epoch0004/representations-{split}.h5" for split in ("train", "val")
    }
    assert str(smoke) not in sidecar.read_text()
