"""Every kind of figure where runs diverged, intervals are wide, or titles are odd."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn import ALL, SHARES, SPECTRA, one, spectra_paths, texts
from matplotlib.axes import Axes

from ssl_collapse.config.figures import PlottedRun, parse_figure
from ssl_collapse.figures.registry import make
from ssl_collapse.figures.theme import printable, save

pytestmark = pytest.mark.usefixtures("two_seeds_are_enough")


REASON = "the loss is nan in epoch 2, step 5"


def diverge(summary: pd.DataFrame, *runs: str, seeds: Sequence[int] = (0, 1)) -> pd.DataFrame:
    """The summary with these runs' seeds as summarize writes them after a divergence."""
    gone = summary["run"].isin(runs) & summary["seed"].isin(seeds)
    summary = summary.assign(failure=None)
    summary.loc[gone, ["auc", "knn_cosine_k20", "loss"]] = np.nan
    summary.loc[gone, "failure"] = REASON
    summary.loc[gone, "diverged"] = True
    return summary


def crosses(axes: Axes) -> int:
    return sum(len(c.get_offsets()) for c in one(axes.collections, "diverged"))


@pytest.mark.parametrize(
    ("runs", "seeds", "marked"), [(["s10"], [1], 1), (["s10"], [0, 1], 2), (ALL, [0, 1], 6)]
)
@pytest.mark.parametrize("kind", ["shares", "schedules", "spectra"])
def test_every_kind_marks_one_seed_a_run_and_all_runs_that_diverged(
    sweep: pd.DataFrame, write_spectrum, tmp_path: Path, kind: str, runs, seeds, marked: int
) -> None:
    summary = diverge(sweep, *runs, seeds=seeds)
    spec = parse_figure(json.dumps({"kind": kind, "runs": ALL}))
    table, figure, caption = make(spec, summary, spectra_paths(summary, write_spectrum))
    panels = figure.axes[3:] if kind == "spectra" else figure.axes
    assert [crosses(axes) for axes in panels] == [marked] * len(panels)
    if kind != "schedules":
        ranges = [axes.get_xlim() for axes in panels]
        assert all(left < 1 and right > 100 for left, right in ranges), "every share is in sight"
    assert "diverged" in texts(figure)
    assert table["diverged"].sum() == marked * len(panels)
    assert caption.count(f"seed {seeds[0]}: {REASON}") == len(runs)
    assert "10 % seed 1" in caption  # named also where no value is available
    save(spec, figure, [tmp_path / "drawn.png"])  # nothing that cannot be drawn


def test_curves_are_those_of_the_seeds_that_did_not_diverge(sweep, write_spectrum) -> None:
    summary = diverge(sweep, "s10", seeds=[1])
    table, _, caption = make(parse_figure(SPECTRA), summary, spectra_paths(summary, write_spectrum))
    curve = table[(table["run"] == "s10") & (table["panel"] == "singular_value")]
    assert curve["value"].tolist() == pytest.approx([4.0, 2.0, 1.0])  # seed 0 alone
    assert curve["seeds"].tolist() == [1, 1, 1]
    assert "(a) to (c) leave out 1 of 6 trainings, which diverged." in caption


def test_without_any_number_nothing_is_claimed(sweep, write_spectrum) -> None:
    summary = diverge(sweep, *ALL)
    for text in (SHARES, SPECTRA):
        paths = spectra_paths(summary, write_spectrum) if text == SPECTRA else []
        table, _, caption = make(parse_figure(text), summary, paths)
        assert "No training has left a number." in caption
        assert "cannot be judged" in caption and "shows at this scale" not in caption
        assert table.loc[table["statistic"] == "seed", "value"].isna().all()
    assert "leave out 6 of 6 trainings, which diverged; none is left of 1 %, 10 %, 100 %." in (
        caption
    )


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (("s10",), "leave out 2 of 6 trainings, which diverged (10 %"),
        (ALL, "leave out 6 of 6 trainings, which diverged (1 %"),
    ],
)
def test_spectra_without_auc_say_why_a_training_is_left_out(
    sweep, write_spectrum, gone, said
) -> None:
    summary = diverge(sweep, *gone)
    paths = spectra_paths(summary, write_spectrum)
    spec = parse_figure(SPECTRA[:-1] + ', "auc": false}')
    table, figure, caption = make(spec, summary, paths)
    assert table.query("panel == 'singular_value'")["run"].nunique() == 3 - len(gone)
    assert said in caption
    drawn = [text.get_text() for text in figure.axes[0].texts]
    assert ("every training diverged" in drawn) == (gone == ALL)


def test_a_diverged_run_is_not_marked_where_a_run_would_be_least_collapsed(sweep) -> None:
    summary = diverge(sweep, "s10")
    _, figure, _ = make(parse_figure(SHARES), summary, [])
    (accuracy,), (auc,) = (one(axes.collections, "diverged") for axes in figure.axes)
    assert set(accuracy.get_offsets()[:, 1]) == {0.0}  # the lower edge: no accuracy
    assert set(auc.get_offsets()[:, 1]) == {1.0}  # the upper one: the lower would say "flat"


def test_intervals_keep_to_what_is_possible_and_the_caption_says_so(sweep) -> None:
    # two seeds at 1 % and 40 %: 20.5 % -+ 12.7 * 19.5 points would reach from -227 % to 268 %
    sweep.loc[sweep["run"] == "s1", "knn_cosine_k20"] = [0.01, 0.40]
    table, _, caption = make(parse_figure(SHARES), sweep, [])
    mean = table[(table["run"] == "s1") & (table["statistic"] == "mean")].iloc[0]
    assert (mean["low"], mean["high"]) == (0, 1)
    assert "cut to the values that are possible (k-NN accuracy (cosine, k = 20))." in caption
    narrow = sweep.assign(knn_cosine_k20=[0.30, 0.31] * 3)
    assert "cut to" not in make(parse_figure(SHARES), narrow, [])[2]


HOSTILE = ["$x_1$ \\frac", "a\nc", "$", "w" * 300]
KINDS = ["shares", "schedules", "spectra", "shares"]


@pytest.mark.parametrize(("kind", "text"), zip(KINDS, HOSTILE, strict=True))
def test_titles_and_labels_are_drawn_as_they_are(
    sweep, write_spectrum, tmp_path: Path, kind: str, text: str
) -> None:
    labels = [other for other in HOSTILE if other != text]
    runs = [PlottedRun(name=n, label=label) for n, label in zip(ALL, labels, strict=True)]
    spec = parse_figure(json.dumps({"kind": kind, "runs": ALL})).model_copy(
        update={"title": text, "runs": runs}
    )
    _, figure, caption = make(spec, sweep, spectra_paths(sweep, write_spectrum))
    save(spec, figure, [tmp_path / "drawn.png", tmp_path / "drawn.pdf"])
    caption.encode()  # whatever is in it, a file can hold it
    title = figure.get_suptitle()
    assert not is_math_text(title)
    assert len(title) < 260
    if text.startswith("$x"):
        assert title == r"\$x_1\$ \frac"


def test_half_a_pair_is_escaped() -> None:
    # config refuses it in titles; what else reaches a figure can be written all the same
    assert printable("half \ud800 pair\t") == "half \\ud800 pair\\t"


def is_math_text(text: str) -> bool:
    """Whether matplotlib would read a formula: an even number of dollars that are not escaped."""
    dollars = text.count("$") - text.count(r"\$")
    return dollars > 0 and dollars % 2 == 0
