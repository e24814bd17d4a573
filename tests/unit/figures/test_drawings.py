"""Figures of two panels: their table holds what the artists show; captions are honest."""

import numpy as np
import pandas as pd
import pytest
from drawn import SCHEDULES, SHARES, before_training, expected, one, seeds_shown, texts
from matplotlib.collections import PolyCollection

from ssl_collapse.config.figures import parse_figure
from ssl_collapse.figures.registry import make

pytestmark = pytest.mark.usefixtures("two_seeds_are_enough")


def test_shares_shows_its_table(sweep: pd.DataFrame) -> None:
    table, figure, _ = make(parse_figure(SHARES), sweep, [])
    for axes, panel in zip(figure.axes, ("accuracy", "measure"), strict=True):
        (line,) = one(axes.lines, "mean")
        means = expected(table, panel, "mean", "share", "value", "low", "high")
        np.testing.assert_array_equal(line.get_xydata(), means[:, :2])
        np.testing.assert_array_equal(
            seeds_shown(axes), expected(table, panel, "seed", "share", "value")
        )
        (band,) = [c for c in one(axes.collections, "band") if isinstance(c, PolyCollection)]
        corners = {tuple(v) for v in band.get_paths()[0].vertices}
        assert corners >= {(share, bound) for share, _, *bounds in means for bound in bounds}
        assert axes.get_xscale() == "log"
    (chance,) = one(figure.axes[0].lines, "chance")
    assert chance.get_ydata()[0] == expected(table, "accuracy", "chance", "value")[0, 0] == 0.1
    assert "chance" in texts(figure)


@pytest.mark.parametrize("kind", ["shares", "schedules"])
def test_the_network_before_training_is_a_line(sweep: pd.DataFrame, kind: str) -> None:
    spec = parse_figure(SHARES.replace("shares", kind))
    table, figure, caption = make(spec, before_training(sweep), [])
    data = "get_ydata" if kind == "shares" else "get_xdata"
    for axes, panel, value in zip(figure.axes, ("accuracy", "measure"), (0.25, 0.91), strict=True):
        (line,) = one(axes.lines, "untrained")
        assert getattr(line, data)()[0] == expected(table, panel, "untrained", "value")[0, 0]
        assert getattr(line, data)()[0] == pytest.approx(value)
    assert "untrained" in texts(figure)
    assert "network before training" in caption and "AUC 0.910" in caption and "25.0 %" in caption
    # of the summary without epoch 0 the same figure has neither
    table, figure, caption = make(spec, sweep, [])
    assert "untrained" not in {*table["statistic"], *texts(figure)}
    assert "before training" not in caption


def test_shares_table_is_the_summary_with_its_intervals(sweep: pd.DataFrame) -> None:
    table, _, _ = make(parse_figure(SHARES), sweep, [])
    mean = table[(table["panel"] == "measure") & (table["run"] == "s1") & table["seeds"].notna()]
    # two seeds, .70 and .71: mean .705, s/sqrt(2) = .005, t(0.975, 1) = 12.7062
    assert mean["value"].item() == pytest.approx(0.705)
    assert mean["high"].item() == pytest.approx(0.705 + 12.7062 * 0.005, rel=1e-5)
    assert mean["seeds"].item() == 2


def test_shares_caption_states_numbers_and_verdicts(sweep: pd.DataFrame) -> None:
    _, _, caption = make(parse_figure(SHARES), sweep, [])
    assert caption.startswith("Accuracy and collapse against the share of data\n\n")
    assert "(2 per run)" in caption and "95 % t-intervals" in caption
    assert "chance, 10 %" in caption
    assert "same 60 steps" in caption
    assert "AUC: the claim that more data raises it shows at this scale" in caption
    assert "the claim that more data lowers it is undecided" in caption


def test_one_seed_draws_no_band_and_says_so(sweep: pd.DataFrame) -> None:
    _, figure, caption = make(parse_figure(SHARES), sweep[sweep["seed"] == 0], [])
    assert one(figure.axes[0].collections, "band") == []
    assert "95 % interval" not in texts(figure)
    assert "One seed per run, so there is no interval." in caption


def test_schedules_shows_its_table(schedules: pd.DataFrame) -> None:
    table, figure, _ = make(parse_figure(SCHEDULES), schedules, [])
    for axes, panel in zip(figure.axes, ("accuracy", "measure"), strict=True):
        shown = [line.get_xydata()[0] for line in one(axes.lines, "mean")]
        means = expected(table, panel, "mean", "value", "low", "high")
        np.testing.assert_array_equal([x for x, _ in shown], means[:, 0])
        assert [y for _, y in shown] == [0, 1, 2]
        np.testing.assert_array_equal(
            seeds_shown(axes)[:, 0], expected(table, panel, "seed", "value")[:, 0]
        )
        bars = [c.get_segments()[0][:, 0] for bar in axes.containers for c in bar.lines[2]]
        np.testing.assert_allclose(bars, means[:, 1:], rtol=1e-12)
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["iid", "single", "hybrid"]


def test_schedules_caption_judges_both_claims(schedules: pd.DataFrame) -> None:
    _, figure, caption = make(parse_figure(SCHEDULES), schedules, [])
    assert caption.startswith("Mine\n\n") and figure.get_suptitle() == "Mine"
    assert "less than multi-epoch training shows at this scale" in caption
    assert "hybrid beats both shows at this scale" in caption
    assert "not judged" not in caption


def test_schedules_without_a_hybrid_says_what_is_not_judged(schedules: pd.DataFrame) -> None:
    spec = parse_figure('{"kind": "schedules", "runs": ["iid", "single"]}')
    _, _, caption = make(spec, schedules, [])
    assert "Claims that need exactly one hybrid run in this figure are not judged." in caption


def test_diverged_seeds_are_marked_and_named(schedules: pd.DataFrame) -> None:
    schedules.loc[0, ["diverged", "knn_cosine_k20"]] = [True, np.nan]
    table, figure, caption = make(parse_figure(SCHEDULES), schedules, [])
    assert table["diverged"].sum() == 2  # one seed in two panels
    accuracy, measure = figure.axes
    (cross,) = one(accuracy.collections, "diverged")
    assert cross.get_offsets()[0, 0] == 0  # no value: on the edge, in axes coordinates
    assert cross.get_offset_transform() == accuracy.get_yaxis_transform()
    (cross,) = one(measure.collections, "diverged")
    assert cross.get_offsets()[0, 0] == 0.80
    assert "diverged" in texts(figure)
    assert "Red crosses mark diverged training (iid seed 0):" in caption
    assert "not available for iid seed 0" in caption
