"""Reading the summary and the spectra, and choosing rows."""

from pathlib import Path

import pandas as pd
import pytest

from ssl_collapse.config.figures import PlottedRun
from ssl_collapse.figures.inputs import (
    own_shares,
    read_spectra,
    read_summary,
    require_numbers,
    select,
)
from ssl_collapse.runtime.errors import UserError


def runs(*names: str) -> list[PlottedRun]:
    return [PlottedRun(name=name) for name in names]


def test_names_that_look_like_numbers_or_gaps_stay_names(run_rows, tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    rows = [run_rows("001"), run_rows("None"), run_rows("nan", start_run="001", start_epoch=8)]
    pd.concat(rows).drop(columns="diverged").to_csv(path, index=False)
    summary = read_summary(path)
    assert summary["run"].tolist() == ["001", "None", "nan"]
    assert summary["start_run"].isna().tolist() == [True, True, False]
    assert summary["diverged"].tolist() == [False] * 3  # an older table lacks the column


def test_a_summary_without_a_column_is_refused(run_rows, tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    run_rows("a").drop(columns="share").to_csv(path, index=False)
    with pytest.raises(UserError, match=r"summary\.csv: column 'share' is missing"):
        read_summary(path)
    with pytest.raises(UserError, match="no such file"):
        read_summary(tmp_path / "other.csv")


def test_rows_come_in_the_order_of_the_figure(run_rows) -> None:
    early = run_rows("a", epoch=10, final=False)
    summary = pd.concat([run_rows("a", auc=[0.1, 0.2]), early, run_rows("b")])
    assert select(summary, runs("b", "a"))["run"].tolist() == ["b", "a", "a"]
    assert select(summary, runs("a"), epoch=10)["epoch"].tolist() == [10]
    with pytest.raises(UserError, match="no row of run 'b' at epoch 10"):
        select(summary, runs("b"), epoch=10)
    with pytest.raises(UserError, match="no row of run 'c' at its last epoch"):
        select(summary, runs("c"))


def test_a_sweep_over_data_is_labelled_by_share(run_rows) -> None:
    summary = pd.concat([run_rows("a", share=0.5), run_rows("b", share=20.0)])
    chosen = select(summary, runs("a", "b"))
    assert own_shares(chosen)
    assert chosen["label"].tolist() == ["0.5 %", "20 %"]
    named = select(summary, [PlottedRun(name="a", label="tiny"), PlottedRun(name="b")])
    assert named["label"].tolist() == ["tiny", "20 %"]


def test_runs_of_one_share_are_labelled_by_name(run_rows) -> None:
    chosen = select(pd.concat([run_rows("a"), run_rows("b")]), runs("a", "b"))
    assert not own_shares(chosen)
    assert chosen["label"].tolist() == ["a", "b"]


def test_an_empty_column_is_an_error_unless_every_run_has_diverged(run_rows) -> None:
    nan = [float("nan")]
    with pytest.raises(UserError, match=r"no numbers in column 'rankme'; it has: .*auc"):
        require_numbers(run_rows("a"), "rankme")
    gone, sound = run_rows("a", auc=nan, diverged=True), run_rows("b", auc=nan)
    require_numbers(gone, "auc")
    for rows in (sound, pd.concat([gone, sound])):
        with pytest.raises(UserError, match="'auc' of the summary is empty"):
            require_numbers(rows, "auc")


def test_spectra_are_found_by_their_path(write_spectrum) -> None:
    path = write_spectrum("deep/name", 3, [2.0, 1.0, 0.0])
    found = read_spectra([path], [("deep/name", 3, 20)])
    # zero has no logarithm: never plotted, also without the column above_noise_floor
    assert found[("deep/name", 3, 20)]["above_noise_floor"].tolist() == [True, True, False]
    with pytest.raises(UserError, match="no spectrum of run 'x', seed 0, epoch 20"):
        read_spectra([path], [("x", 0, 20)])


def test_bad_spectra_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="path ends in runs/RUN"):
        read_spectra([Path("spectrum.csv")], [])
    path = tmp_path / "runs/a/seed0/epoch0020/spectrum.csv"
    path.parent.mkdir(parents=True)
    path.write_text("index,singular_value\n1,2.0\n")
    with pytest.raises(UserError, match=r"spectrum\.csv: column 'normalized' is missing"):
        read_spectra([path], [("a", 0, 20)])
    path.write_text("")
    with pytest.raises(UserError, match="not a readable CSV"):
        read_spectra([path], [("a", 0, 20)])
