"""What runs again, by Snakemake itself, on the finished smoke experiment.

The rules of it are tested in tests/unit/provenance; here stands that Snakemake follows them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_runs import ROOT, finish
from snakemake_runs import SMOKE as SMOKE_PATH
from snakemake_runs import snakemake as run_snakemake

SMOKE = str(SMOKE_PATH)


def snakemake(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_snakemake(folder, *arguments)


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The results alone, as a colleague would send them: no .snakemake/, all dates new."""
    shutil.copytree(smoke / "results", tmp_path / "results", copy_function=shutil.copyfile)
    return tmp_path


def command(name: str, folder: Path, config: str = SMOKE) -> tuple[int, list[str]]:
    """What `why` or `verify` says."""
    script = ROOT / f"workflow/scripts/{name}.py"
    words = [sys.executable, script, "--snakefile", ROOT / "Snakefile", "--directory", folder]
    words += ["--workflow-profile", ROOT / "profiles/default", "--configfile", config]
    run = finish([*map(str, words)], folder)
    return run.returncode, run.stdout.splitlines()


def why(folder: Path, config: str = SMOKE) -> list[str]:
    return command("why", folder, config)[1]


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file but Snakemake's own, with its dates and bytes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".snakemake" not in path.parts
    }


def test_copied_results_are_current_and_a_dry_run_writes_nothing(copy: Path):
    before = tree(copy)
    answer = snakemake(copy, "-n", "--configfile", SMOKE)
    assert "Nothing to be done" in answer.stdout
    assert tree(copy) == before


def test_a_dry_run_writes_nothing_where_much_would_run(copy: Path):
    shutil.rmtree(copy / "results/runs/iid")
    (copy / "results/data/textures/dataset.json").write_text("{")
    before = tree(copy)
    assert snakemake(copy, "-n", "--configfile", SMOKE).returncode == 0
    assert tree(copy) == before


def test_why_names_key_and_values_causes_first(copy: Path, tmp_path: Path):
    other = tmp_path / "other.yaml"
    text = Path(SMOKE).read_text()
    other.write_text(text.replace("accumulate: {", "accumulate: {base_lr: 0.1, "))
    lines = why(copy, str(other))
    assert lines[0] == "runs/accumulate/seed0: base_lr 0.05 -> 0.1"
    assert lines[-1].startswith("report.html: made from ")
    assert not [line for line in lines if line.startswith("runs/iid")]


def test_every_result_is_a_target_and_a_missing_one_a_reason(copy: Path):
    epoch = copy / "results/runs/iid/seed0/epoch0004"
    (epoch / "knn.csv").unlink()
    name = "runs/iid/seed0/epoch0004/knn.csv"
    assert why(copy)[0] == f"{name}: {name} is missing; in the store"
    answer = snakemake(copy, "-n", "--configfile", SMOKE).stdout
    assert "knn              1" in answer


def test_a_job_that_had_to_run_again_and_failed_is_still_to_be_done(copy: Path, tmp_path: Path):
    # k_max changed; the jobs die; the same command must not say "Nothing to be done"
    other = tmp_path / "other.yaml"
    other.write_text(Path(SMOKE).read_text().replace("k_max: 50", "k_max: 40"))
    epoch = copy / "results/runs/iid/seed0/epoch0004"
    (epoch / "knn.csv").unlink()
    (epoch / "knn.json").unlink()  # as Snakemake leaves it
    lines = why(copy, str(other))
    assert "runs/iid/seed0/epoch0004/knn.csv: not there yet" in lines
    assert "runs/iid/seed1/epoch0004/knn.csv: k_max 50 -> 40" in lines


def test_swapped_seeds_are_found_by_what_was_recorded(copy: Path):
    seeds = copy / "results/runs/iid"
    for source, target in (("seed0", "spare"), ("seed1", "seed0"), ("spare", "seed1")):
        (seeds / source / "epoch0004").rename(seeds / source / "moved")
        (seeds / source).rename(seeds / target)
        (seeds / target / "moved").rename(seeds / target / "epoch0004")
    lines = why(copy)
    assert [line for line in lines if line.startswith("runs/iid/seed0: seed 1 -> 0; ")]
    assert [line for line in lines if line.startswith("runs/iid/seed1: seed 0 -> 1; ")]


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
    snakemake(copy, "--cores", "1", "--configfile", SMOKE)
    (copy / "results/runs/iid/seed0/epoch0004/knn.json").unlink()
    snakemake(copy, "--cores", "1", "--configfile", SMOKE)
    for record in (copy / ".snakemake/metadata").rglob("*"):
        if record.is_file():
            record.write_text("")  # as after a power cut
    assert "Nothing to be done" in snakemake(copy, "-n", "--configfile", SMOKE).stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "nope.pdf",
            "nothing of this experiment is called so; see `snakemake --list-target-rules`",
        ),
        (
            "results/runs/iidd/seed0/training.csv",
            "did you mean results/runs/iid/seed0/training.csv?",
        ),
        (
            "results/runs/iid/seed00/training.csv",
            "did you mean results/runs/iid/seed0/training.csv?",
        ),
        ("results/runs/iid/seed0/speed.csv", "speed.csv: nothing of this experiment is called so"),
        ("results/figures/share.pdf", "did you mean results/figures/shares.pdf?"),
        ("reprot", "did you mean report?"),
    ],
)
def test_unknown_targets_get_one_line(copy: Path, target: str, message: str):
    run = snakemake(copy, "-n", "--configfile", SMOKE, "--", target)
    assert run.returncode == 2
    assert message in run.stdout.splitlines()[-1]
    assert "Traceback" not in run.stdout


def test_dates_are_not_to_decide(copy: Path):
    run = snakemake(copy, "-n", "--configfile", SMOKE, "--rerun-triggers", "mtime")
    assert run.returncode == 2
    assert "judged by what is recorded beside them, never by dates" in run.stdout


def test_sidecars_are_the_same_bytes_and_name_no_place(smoke: Path):
    sidecar = smoke / "results/runs/iid/seed0/epoch0004/knn.json.provenance.json"
    content = json.loads(sidecar.read_text())
    assert set(content["inputs"]) == {
        f"results/runs/iid/seed0/epoch0004/representations-{split}.h5" for split in ("train", "val")
    }
    assert str(smoke) not in sidecar.read_text()
