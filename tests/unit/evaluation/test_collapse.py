"""collapse.json and spectrum.csv: complete, reproducible, in bounded memory, clear when wrong."""

import csv
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.linalg
from commands import WORKFLOW, run_here, run_script
from pydantic import ValidationError
from representation_files import decaying

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.baseline import UNTRAINED, baseline
from ssl_collapse.evaluation.collapse import Collapse, measure_collapse, spectrum_table
from ssl_collapse.evaluation.measures.registry import measure_columns
from ssl_collapse.evaluation.measures.spectral import auc
from ssl_collapse.evaluation.measures.views import VIEW_MEASURES
from ssl_collapse.representations.file import of_arrays, write_failed_representations
from ssl_collapse.runtime.errors import UserError

run = partial(run_here, "collapse")


def save(folder: Path, rows: np.ndarray) -> Path:
    np.save(folder / "r.npy", rows)
    return folder / "r.npy"


def measure(rows: np.ndarray, **settings: Any) -> Collapse:
    return measure_collapse(of_arrays(rows), CollapseSpec(**settings))


def test_measures_against_svd_of_the_whole_matrix() -> None:
    rows = decaying(1000, 40) + np.float32(0.1)
    content = measure(rows).content
    exact = rows.astype(np.float64)
    units = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    for suffix, matrix in (("", exact), ("_l2", units)):
        centred = scipy.linalg.svdvals(matrix - matrix.mean(axis=0))
        p = scipy.linalg.svdvals(matrix) / scipy.linalg.svdvals(matrix).sum()
        assert content[f"auc{suffix}"] == pytest.approx(
            (np.cumsum(centred) / centred.sum()).mean(), rel=1e-9
        )
        assert content[f"rankme{suffix}"] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-9)
        assert content[f"participation_ratio{suffix}"] == pytest.approx(
            (centred**2).sum() ** 2 / (centred**4).sum(), rel=1e-9
        )
        assert content[f"numerical_rank{suffix}"] == 40
    assert content["std_per_dimension"] == pytest.approx(units.std(axis=0).mean(), rel=1e-9)
    cosines = (units @ units.T)[~np.eye(1000, dtype=bool)]
    assert content["mean_cosine"] == pytest.approx(cosines.mean(), rel=1e-9)
    # fewer rows than uniformity_samples: all pairs
    pairs = 2 - 2 * (units @ units.T)[np.triu_indices(1000, 1)]
    assert content["uniformity"] == pytest.approx(np.log(np.exp(-2 * pairs).mean()), rel=1e-9)
    assert (content["n"], content["dim"], content["dtype"]) == (1000, 40, "float32")


def test_every_scalar_has_a_convention() -> None:
    content = measure(decaying(300, 40)).content
    explained = {name.strip() for key in content["conventions"] for name in key.split(",")}
    self_explaining = {"format_version", "n", "dim", "dtype", "notes", "conventions"}
    details = {"noise_floor_gram", "noise_floor_rounding"}  # in the convention of noise_floor
    for name in content.keys() - self_explaining - details:
        assert name.removesuffix("_l2") in explained, name
    nested = [name for name, value in content.items() if isinstance(value, (dict, list))]
    assert nested == ["notes", "conventions"]
    json.dumps(content, allow_nan=False)


def test_the_std_of_every_dimension_where_asked_for() -> None:
    # (3, 0), (0, 4): std 1.5 and 2; normalised (1, 0), (0, 1): 0.5 and 0.5
    rows = np.array([[3.0, 0.0], [0.0, 4.0]])
    content = measure(rows, std_vector=True).content
    assert content["std_vector"] == pytest.approx([1.5, 2.0])
    assert content["std_vector_l2"] == pytest.approx([0.5, 0.5])
    assert "std_vector" not in measure(rows).content


def test_spectrum_table() -> None:
    rows = decaying(300, 6)
    rows[:, 4] = rows[:, 0] * 2  # exact in float32: one direction less
    collapse = measure(rows)
    table = list(csv.DictReader(spectrum_table(collapse).splitlines()))
    assert [row["index"] for row in table] == list("123456")
    assert [row["above_noise_floor"] for row in table] == list("111110")
    assert [float(row["singular_value"]) for row in table] == collapse.sigma.tolist()
    assert float(table[0]["normalized"]) == float(table[-1]["cumulative"]) == 1.0
    mean = np.mean([float(row["cumulative"]) for row in table])
    assert mean == pytest.approx(collapse.content["auc"], rel=1e-15)


def test_dead_dimensions_and_rows_of_zeros_are_counted() -> None:
    rows = decaying(400, 12)
    rows[:, 3], rows[:, 5] = 0.0, 0.3
    content = measure(rows).content
    assert (content["dead_dimensions"], content["numerical_rank"]) == (2, 10)
    rows = decaying(400, 12)
    rows[[7, 90]] = 0.0
    assert measure(rows).content["zero_rows"] == 2


def test_fewer_rows_than_dimensions() -> None:
    content = measure(np.random.default_rng(0).standard_normal((20, 64))).content
    assert content["numerical_rank"] == content["rank_bound"] == 19
    assert "20 rows in 64 dimensions" in content["notes"][0]
    assert content["auc_low"] is content["auc_high"] is None  # too few rows
    # AUC is over all 64 values, 45 of which are 1
    assert content["auc"] > 45 / 64


def test_rows_that_all_point_one_way_have_no_normalised_measures() -> None:
    lengths = np.random.default_rng(0).uniform(1, 2, (300, 1))
    content = measure((lengths * [0.6, 0.8, 0.0]).astype(np.float32)).content
    assert content["numerical_rank"] == 1
    assert content["auc"] == pytest.approx(1.0, abs=1e-6)
    assert content["mean_cosine"] == pytest.approx(1.0)
    assert content["std_per_dimension"] < 1e-7
    assert content["auc_l2"] is content["rankme_l2"] is content["alpha_l2"] is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        *((np.full((300, 8), v, np.float32), "all rows are equal") for v in (0.0, 0.1, 12345.678)),
        (np.ones((1, 8)), "has one row"),
        (1e200 * decaying(20, 3).astype(float), "so large that their squares overflow"),
    ],
)
def test_rows_without_a_spectrum_are_an_error(rows: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=f"X: .*{message}"):
        measure(rows)


def test_a_file_that_is_marked_as_failed_has_every_measure_null(tmp_path: Path) -> None:
    sound = measure(decaying(300, 6)).content
    path, why = tmp_path / "r.h5", "the loss is nan in epoch 2, step 1"
    write_failed_representations(path, 6, np.arange(300), {}, why)
    spectrum, out = tmp_path / "s.csv", tmp_path / "c.json"
    done = run(path, "--json", out, "--spectrum", spectrum)
    assert done.returncode == 0, done.stderr
    content = json.loads(out.read_text())
    assert content.keys() == sound.keys() | {"diverged", "failure"}
    assert (content["diverged"], content["failure"]) == (True, why)
    told = {"format_version", "diverged", "failure", "n", "dim", "dtype", "notes", "conventions"}
    assert {name for name, value in content.items() if value is not None} == told
    assert (content["n"], content["dim"]) == (300, 6)
    assert spectrum.read_text() == "index,singular_value,normalized,cumulative,above_noise_floor\n"


def test_a_spread_ten_thousandth_of_the_mean_is_no_constant() -> None:
    rows = 1e4 + np.random.default_rng(0).standard_normal((2000, 16))
    expected = measure(rows - 1e4).content["auc"]
    single = measure(rows.astype(np.float32)).content
    assert single["auc"] == pytest.approx(expected, abs=1e-6)
    # float32 keeps steps of 2^-10 near 1e4: 2.8e-4 rms
    assert single["noise_floor"] > 1e-4 * single["sigma_max"]


@pytest.mark.parametrize(
    "wrong", [{"seeed": 1}, {"alpha_first_rank": 50, "alpha_last_rank": 40}, {"seed": "1"}]
)
def test_spec_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CollapseSpec.model_validate_json(json.dumps(wrong))


def test_script_writes_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    path = save(tmp_path, decaying(1500, 64))
    written = []
    for threads in (1, 3):
        out, table = tmp_path / f"{threads}.json", tmp_path / f"{threads}.csv"
        done = run_script(
            "collapse", path, "--threads", threads, "--json", out, "--spectrum", table
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        written.append(out.read_bytes() + table.read_bytes())
    assert written[0] == written[1]


def test_script_by_hand_prints_a_table_and_writes_beside_the_file(tmp_path: Path) -> None:
    done = run(save(tmp_path, decaying(300, 16)), "--spec", '{"bootstrap_resamples": 0}')
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "r.npy-collapse.json").read_text())
    random = content["baseline"]
    assert f"auc                    {content['auc']:<12.6g} {random['auc']:.6g}\n" in done.stdout
    assert "auc_low                -\n" in done.stdout
    assert f"note: {UNTRAINED}\n" in done.stdout
    # 300 rows in 16 dimensions: nearly flat, so that AUC is near 17/32, and the std near 1/sqrt(16)
    assert random["n"] == 300 and random["auc"] == pytest.approx(17 / 32, abs=0.06)
    assert random["std_per_dimension"] == pytest.approx(0.25, abs=0.01)
    done = run(tmp_path / "r.npy", "--no-baseline")
    plain = json.loads((tmp_path / "r.npy-collapse.json").read_text())
    assert "baseline" not in plain and "Gaussian" not in done.stdout


def test_the_baseline_is_of_one_gaussian_however_it_is_read() -> None:
    drawn = np.random.default_rng([0, 3, 0]).standard_normal((4096, 2), np.float32)
    found = baseline(5000, 2, CollapseSpec())
    assert found["n"] == 200  # at most 100 for each dimension
    assert baseline(200, 2, CollapseSpec())["auc"] == found["auc"]
    many = baseline(5000, 60, CollapseSpec())  # two blocks
    assert many["n"] == 5000 and many["mean_cosine"] == pytest.approx(0, abs=1e-3)
    content = measure(drawn[:200]).content
    assert all(found[name] == content[name] for name in measure_columns() if name in found)


def test_script_ends_with_2_and_no_file_on_wrong_input(tmp_path: Path) -> None:
    rows = decaying(300, 16)
    rows[123, 4] = np.nan
    for arguments, message in [
        ((save(tmp_path, rows),), "row 123"),
        ((tmp_path / "gone.npy",), "no such file"),
        ((tmp_path / "r.npy", "--spec", '{"alpha": 1}'), "--spec"),
    ]:
        done = run(*arguments)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["r.npy"]


MEMORY_PROBE = """
import os, resource, sys
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"
from pathlib import Path
import h5py
from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.representations.file import (
    open_representations,
)

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = peak()
file = open_representations(Path(sys.argv[1]))
content = measure_collapse(file, CollapseSpec(), threads=2).content
print(content["n"], content["auc"], peak() - before)
"""


def test_a_million_rows_take_less_than_a_gibibyte(tmp_path: Path) -> None:
    """1,000,000 x 512 from an HDF5 file: a virtual one that shows the same 50,000 rows 20 times."""
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "part.h5", "w") as file:
        rows = rng.standard_normal((50_000, 512), dtype=np.float32)
        file["representations"] = rows
    layout = h5py.VirtualLayout((1_000_000, 512), np.float32)
    for start in range(0, 1_000_000, 50_000):
        source = h5py.VirtualSource("part.h5", "representations", (50_000, 512))
        layout[start : start + 50_000] = source
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.create_virtual_dataset("representations", layout)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, tmp_path / "whole.h5"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(WORKFLOW)},
    )
    n, found, mebibytes = done.stdout.split()
    assert int(n) == 1_000_000
    # 20 copies of the rows have the spectrum of one, times sqrt(20)
    once = scipy.linalg.svdvals(rows - rows.mean(axis=0, dtype=np.float64))
    assert float(found) == pytest.approx(auc(once), rel=1e-9)
    assert float(mebibytes) < 1024


def test_script_never_writes_over_its_input_or_twice_to_one_file(tmp_path: Path) -> None:
    file, link = save(tmp_path, np.eye(4, 3)), tmp_path / "same.npy"
    before = file.read_bytes()
    link.symlink_to(file)
    wrong = [
        ["--json", file],
        ["--spectrum", link],
        ["--log", file],
        ["--json", tmp_path],
        ["--json", tmp_path / "out", "--spectrum", tmp_path / "out"],
        ["--threads", 0],
        ["--json", "/proc/out.json"],
        ["--spectrum", tmp_path / "s.csv", "--json", link / "x.json"],  # in a file
    ]
    for options in wrong:
        done = run(file, *options)
        assert done.returncode == 2, options
        assert "error: " in done.stderr and "Traceback" not in done.stderr
        assert file.read_bytes() == before
        assert sorted(tmp_path.iterdir()) == [file, link]


def test_outputs_that_are_no_files_are_written_to_and_two_inputs_have_two(tmp_path: Path) -> None:
    rows = decaying(300, 6)
    np.save(tmp_path / "r.npy", rows)
    np.savez(tmp_path / "r.npz", representations=rows)
    done = run(tmp_path / "r.npy", "--json", "/dev/null", "--spectrum", tmp_path / "s.csv")
    assert done.returncode == 0 and Path("/dev/null").is_char_device()
    for name in ("r.npy", "r.npz"):
        assert run(tmp_path / name).returncode == 0
    names = ["r.npy", "r.npy-collapse.json", "r.npz", "r.npz-collapse.json", "s.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_figures_may_show_every_measure() -> None:
    about = {"format_version", "n", "dim", "sigma_max", "rank_bound", "dead_dimensions"}
    content = measure(np.eye(120, 110)).content
    numbers = {k for k, v in content.items() if not isinstance(v, str | list | dict | bool)}
    numbers = {k for k in numbers - about - {"zero_rows"} if not k.startswith("noise_floor")}
    other_stages = {name for name in measure_columns() if name.startswith("projector_")}
    assert numbers | {"loss"} == set(measure_columns()) - other_stages - VIEW_MEASURES.keys()
