"""Representation files: what is written comes back; what is wrong is named."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from ssl_collapse.representations.file import (
    open_representations,
    with_targets,
    write_failed_representations,
    write_representations,
)
from ssl_collapse.runtime.errors import UserError

ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)
TARGETS = np.array([0, 1, 2, 0, 1, 2])
ATTRS = {"run": "a/seed0", "epoch": 3, "num_classes": 4}


def write(path: Path, rows: np.ndarray = ROWS, cut: int = 4) -> Path:
    """Write `rows` in two chunks, split at `cut`."""
    index = np.arange(len(rows))
    chunks = [(rows[s], TARGETS[s], index[s]) for s in (slice(0, cut), slice(cut, None))]
    write_representations(path, len(rows), rows.shape[1], chunks, ATTRS)
    return path


def read(path: Path, rows: int = 4) -> np.ndarray:
    return np.concatenate(list(open_representations(path).chunks(rows)))


def test_h5_round_trip(tmp_path: Path) -> None:
    opened = open_representations(write(tmp_path / "r.h5"))
    assert (opened.n, opened.dim, opened.dtype) == (6, 2, "float32")
    assert opened.targets is not None
    assert opened.targets.tolist() == TARGETS.tolist()
    assert opened.attrs == {**ATTRS, "format_version": 1}
    assert opened.num_classes == 4  # as stated, although no row has the label 3
    assert [len(chunk) for chunk in opened.chunks(4)] == [4, 2]
    np.testing.assert_array_equal(read(opened.path), ROWS)


def test_same_content_gives_the_same_bytes_however_it_is_chunked(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.h5", cut=1), write(tmp_path / "b.h5", cut=5)
    assert one.read_bytes() == other.read_bytes()


def test_targets_of_the_reference_are_float_whole_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "train_reprs_e0.pt"
    labels = torch.tensor(TARGETS, dtype=torch.float32)
    torch.save({"representations": torch.tensor(ROWS), "targets": labels}, path)
    with caplog.at_level("INFO", "ssl_collapse"):
        opened = open_representations(path)
    assert opened.labels().dtype == np.int64 and opened.labels().tolist() == TARGETS.tolist()
    assert "targets are float32 whole numbers, taken as classes" in caplog.text
    for wrong in (2.5, float("nan"), float("inf")):
        labels[3] = wrong
        torch.save({"representations": torch.tensor(ROWS), "targets": labels}, path)
        with pytest.raises(UserError, match=rf"'targets' has {wrong} in row 3, .* no class"):
            open_representations(path)


def forms(folder: Path, **arrays: np.ndarray) -> Iterator[Path]:
    """The same arrays in every form that has names."""
    with h5py.File(folder / "r.h5", "w") as file:
        file.update(arrays)
    np.savez(folder / "r.npz", **arrays)
    np.savez_compressed(folder / "small.npz", **arrays)
    save_file(arrays, folder / "r.safetensors")
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    torch.save(tensors, folder / "r.pt")
    torch.save(tensors, folder / "r.pth", _use_new_zipfile_serialization=False)
    for name in ("r.h5", "r.npz", "small.npz", "r.safetensors", "r.pt", "r.pth"):
        yield folder / name


@pytest.mark.parametrize("rows", ["representations", "features", "0"])
@pytest.mark.parametrize("targets", ["targets", "labels", "y"])
def test_every_form_reads_the_same(tmp_path: Path, rows: str, targets: str) -> None:
    for path in forms(tmp_path, **{rows: ROWS, targets: TARGETS, "index": TARGETS}):
        np.testing.assert_array_equal(read(path), ROWS, err_msg=path.name)
        assert open_representations(path).labels().tolist() == TARGETS.tolist()


def test_arrays_without_a_name(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", ROWS)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(ROWS).astype(">f4"))
    torch.save(torch.tensor(ROWS, requires_grad=True), tmp_path / "r.pt")
    for name in ("r.npy", "fortran.npy", "r.pt"):
        np.testing.assert_array_equal(read(tmp_path / name), ROWS, err_msg=name)
        assert open_representations(tmp_path / name).targets is None


def test_without_a_stated_count_the_labels_give_the_number_of_classes(tmp_path: Path) -> None:
    save_file({"representations": ROWS, "targets": TARGETS}, tmp_path / "r.safetensors")
    assert open_representations(tmp_path / "r.safetensors").num_classes == 3
    np.save(tmp_path / "r.npy", ROWS)
    with pytest.raises(UserError, match=r"r\.npy: has no targets"):
        _ = open_representations(tmp_path / "r.npy").num_classes


def test_half_precision_is_widened_and_double_kept(tmp_path: Path) -> None:
    for stored, given in (("float16", np.float32), ("float64", np.float64)):
        path = tmp_path / f"{stored}.npy"
        np.save(path, ROWS.astype(stored))
        assert open_representations(path).dtype == stored
        assert read(path).dtype == given


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_reader_names_the_first_row_that_is_not_finite(tmp_path: Path, value: float) -> None:
    rows = ROWS.copy()
    rows[4, 1] = value
    np.save(tmp_path / "r.npy", rows)
    with pytest.raises(UserError, match=r"r\.npy: row 4 of 'representations' holds NaN or inf"):
        read(tmp_path / "r.npy", rows=3)


def test_huge_but_finite_values_are_no_error(tmp_path: Path) -> None:
    # each is finite, their sum is not
    np.save(tmp_path / "r.npy", np.full((4, 2), 1e308))
    assert read(tmp_path / "r.npy").max() == 1e308


def test_writer_refuses_what_is_not_finite_and_leaves_no_file(tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[5, 0] = np.nan
    with pytest.raises(UserError, match="row 5"):
        write(tmp_path / "r.h5", rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n", [5, 7])
def test_writer_refuses_another_number_of_rows_than_announced(tmp_path: Path, n: int) -> None:
    with pytest.raises(ValueError, match="announced"):
        write_representations(tmp_path / "r.h5", n, 2, [(ROWS, TARGETS, TARGETS)], {})
    assert list(tmp_path.iterdir()) == []


def h5(path: Path, **content: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            (file if isinstance(value, np.ndarray) else file.attrs)[name] = value
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": ROWS, "b": ROWS}, r"no key 'representations'; keys found: a \(6, 2\), b \(6, 2\)"),
        ({"stds": ROWS[0]}, r"no key 'representations'; keys found: stds \(2,\)"),
        ({"representations": ROWS.astype(int)}, "dtype int64"),
        ({"representations": ROWS[0]}, r"shape \(2,\)"),
        ({"representations": ROWS[:0]}, r"shape \(0, 2\)"),
        ({"representations": ROWS, "targets": TARGETS[:5]}, r"shape \(5,\), but there are 6"),
        ({"representations": ROWS, "targets": TARGETS + 0.5}, "'targets' has 0.5 in row 0"),
        ({"representations": ROWS, "targets": TARGETS * 1j}, "'targets' has dtype complex128"),
        ({"representations": ROWS, "targets": TARGETS - 1}, "negative label -1 in row 0"),
        ({"representations": ROWS, "targets": TARGETS, "num_classes": 2},
         "label 2, but the file states num_classes 2"),
        ({"representations": ROWS[:3], "targets": np.array([0, 2**63, 1], np.uint64)},
         "the label 9223372036854775808 in row 1"),
        ({"representations": ROWS, "format_version": 2}, "format_version is 2"),
    ],
)  # fmt: skip
def test_wrong_content_is_named(tmp_path: Path, content: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=rf"r\.h5: .*{message}"):
        open_representations(h5(tmp_path / "r.h5", **content))


def test_empty_truncated_and_foreign_files_are_named(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((500, 20), dtype=np.float32)
    np.save(tmp_path / "r.npy", rows)
    for path in (tmp_path / "r.npy", *forms(tmp_path, representations=rows)):
        content = path.read_bytes()
        for some, message in (
            (b"", "is empty"),
            (content[: len(content) // 2], "truncated"),
            (b"this is a text file\n" * 50, "not a readable"),
        ):
            path.write_bytes(some)
            with pytest.raises(UserError, match=f"{path.name}: .*{message}"):
                read(path)


def test_missing_file_and_unknown_suffix_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.h5: no such file"):
        open_representations(tmp_path / "gone.h5")
    (tmp_path / "r.csv").write_text("1,2\n")
    with pytest.raises(UserError, match=r"unknown suffix '\.csv'; known: \.h5"):
        open_representations(tmp_path / "r.csv")


def test_a_failed_encoder_leaves_a_file_of_nan_that_says_why(tmp_path: Path) -> None:
    path, targets = tmp_path / "r.h5", np.array([1, 0, 2])
    write_failed_representations(path, 4, targets, {"num_classes": 3}, "the loss is nan")
    opened = open_representations(path)
    assert opened.failure == "the loss is nan"
    assert (opened.n, opened.dim, opened.dtype, opened.num_classes) == (3, 4, "float32", 3)
    assert opened.labels().tolist() == [1, 0, 2]
    assert np.isnan(opened.read(0, 3)).all()
    with h5py.File(path) as file:
        assert file["index"][:].tolist() == [0, 1, 2]
    assert open_representations(write(tmp_path / "sound.h5")).failure is None


def test_targets_of_a_file_of_their_own(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.ones((3, 2), np.float32))
    rows, path = open_representations(tmp_path / "rows.npy"), tmp_path / "t.npy"
    np.save(path, np.array([0.0, 2.0, 1.0], np.float32))
    assert with_targets(rows, path).labels().tolist() == [0, 2, 1]
    for wrong, message in (
        ([0, 1], r"shape \(2,\), but there are 3 representations"),
        ([0, 0.5, 1], "0.5 in row 1, which is no class number"),
        ([0, -1, 1], "negative label -1 in row 1"),
        (["a", "b", "c"], "dtype <U1; expected integers"),
    ):
        np.save(path, np.array(wrong))
        with pytest.raises(UserError, match=rf"t\.npy: .*{message}"):
            with_targets(rows, path)
    np.save(path, np.array([{}, {}, {}]), allow_pickle=True)
    with pytest.raises(UserError, match=r"t\.npy: not a readable \.npy file"):
        with_targets(rows, path)
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    for name, message in (("folder", "cannot be read"), ("zero", "cannot be"), ("no", "no such")):
        with pytest.raises(UserError, match=message):
            with_targets(rows, tmp_path / f"{name}.npy")


def test_targets_of_a_file_of_their_own_in_every_form(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    rows = open_representations(tmp_path / "rows.npy")
    with_rows = {"y": TARGETS, "representations": ROWS}
    for arrays in ({"targets": TARGETS}, {"classes": TARGETS}, with_rows):
        for path in forms(tmp_path, **arrays):
            assert with_targets(rows, path).labels().tolist() == TARGETS.tolist(), path
    torch.save(torch.tensor(TARGETS), tmp_path / "bare.pt")
    torch.save({"targets": TARGETS.tolist()}, tmp_path / "list.pt")
    for name in ("bare.pt", "list.pt"):
        assert with_targets(rows, tmp_path / name).labels().tolist() == TARGETS.tolist()
    np.savez(tmp_path / "two.npz", a=TARGETS, b=TARGETS)
    with pytest.raises(UserError, match=r"two\.npz: has no key 'targets'; keys found: a \(6,\), b"):
        with_targets(rows, tmp_path / "two.npz")
