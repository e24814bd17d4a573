"""A spectrum from elsewhere: every form, and the same numbers as of the representations."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.collapse import measure_collapse, spectrum_table
from ssl_collapse.evaluation.given_spectrum import measure_spectrum, read_spectrum
from ssl_collapse.representations.file import of_arrays
from ssl_collapse.runtime.errors import UserError

SIGMA = np.array([4.0, 2.0, 1.0, 1.0], np.float32)
SPEC = CollapseSpec(alpha_first_rank=1, alpha_last_rank=20)


def test_every_form(tmp_path: Path):
    np.save(tmp_path / "a.npy", SIGMA[::-1])
    np.savez(tmp_path / "a.npz", sigma=SIGMA)
    torch.save({"stds": torch.tensor(SIGMA)}, tmp_path / "authors.pt")
    torch.save(torch.tensor(SIGMA), tmp_path / "a.pt")
    save_file({"singular_values": SIGMA, "mean": SIGMA[:2]}, tmp_path / "a.safetensors")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["any"] = SIGMA
    (tmp_path / "a.csv").write_text(spectrum_table(measure_spectrum(SIGMA, "float32", SPEC)))
    for path in sorted(tmp_path.iterdir()):
        sigma, dtype = read_spectrum(path)
        assert sigma.tolist() == [4, 2, 1, 1], path
        assert dtype == ("float64" if path.suffix == ".csv" else "float32")


def test_its_measures_are_those_of_the_representations():
    rows = np.random.default_rng(0).standard_normal((500, 30)) / np.arange(1, 31)
    whole = measure_collapse(of_arrays(rows), SPEC)
    given = measure_spectrum(whole.sigma, "float64", SPEC).content
    known = {name for name, value in given.items() if isinstance(value, int | float)}
    known -= {"format_version", "noise_floor"}
    assert known == {
        *("auc", "effective_rank", "participation_ratio", "nesum", "alpha", "alpha_r2"),
        *("numerical_rank", "dim", "sigma_max"),
    }
    assert {name: given[name] for name in known} == {n: whole.content[n] for n in known}
    assert given["std_per_dimension"] is None and set(given["conventions"])


def test_auc_by_hand_and_the_floor_of_the_type():
    # 4, 6, 7, 8 of 8
    content = measure_spectrum(SIGMA.astype(float), "float32", CollapseSpec()).content
    assert content["auc"] == (4 + 6 + 7 + 8) / 8 / 4
    assert content["noise_floor"] == 4 * 2.0**-23


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 2)), r"shape \(2, 2\); a spectrum is a list"),
        (np.arange(3), "holds int64"),
        (np.array([1.0, -1.0]), "not negative"),
        (np.array([1.0, np.nan]), "finite"),
        (np.zeros(3), "not all 0"),
    ],
)
def test_what_is_no_spectrum_is_named(tmp_path: Path, array: np.ndarray, message: str):
    np.save(tmp_path / "s.npy", array)
    with pytest.raises(UserError, match=rf"s\.npy: .*{message}"):
        read_spectrum(tmp_path / "s.npy")
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"s\.csv: not a spectrum\.csv"):
        read_spectrum(tmp_path / "s.csv")
