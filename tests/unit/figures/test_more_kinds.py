"""Switches, sizes, methods, curves, forecast and ranking; and every kind in print."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from scipy.stats import spearmanr

from ssl_collapse.config.figures import parse_figure
from ssl_collapse.figures.registry import make
from ssl_collapse.figures.theme import save, style
from ssl_collapse.runtime.errors import UserError


def spec_of(kind: str, runs: list, **keys: object):
    return parse_figure(json.dumps({"kind": kind, "runs": runs, **keys}))


@pytest.fixture
def hybrids(run_rows) -> pd.DataFrame:
    runs = {
        "iid": run_rows("iid", knn_cosine_k20=[0.30, 0.31, 0.32, 0.33]),
        "one": run_rows("one", knn_cosine_k20=[0.40, 0.41, 0.42, 0.43], schedule="current"),
        "h8": run_rows("h8", knn_cosine_k20=[0.50, 0.51, 0.52, 0.53], start_run="one",
                       start_epoch=8),
    }  # fmt: skip
    return pd.concat(runs.values(), ignore_index=True)


def test_hybrids_stand_at_their_switching_epoch_between_both_ends(hybrids: pd.DataFrame):
    table, figure, caption = make(spec_of("switches", ["iid", "one", "h8"]), hybrids, [])
    means = table[(table["panel"] == "accuracy") & (table["statistic"] == "mean")]
    # multi-epoch training saw all data at once, the single pass never did in its 20 epochs
    assert dict(zip(means["run"], means["switch"], strict=True)) == {"iid": 0, "one": 20, "h8": 8}
    assert dict(zip(means["run"], means["value"], strict=True))["h8"] == pytest.approx(0.515)
    assert "the switch at epoch 8 beats iid shows at this scale (h8 minus iid: +20.0" in caption
    assert "the switch at epoch 8 beats one shows" in caption
    assert list(figure.axes[0].get_xticks()) == [0, 8, 20]


def test_hybrids_stand_above_the_network_before_training(hybrids: pd.DataFrame):
    before = hybrids[hybrids["run"] != "h8"].assign(epoch=0, final=False, auc=0.9)
    rows = pd.concat([hybrids, before], ignore_index=True)
    table, figure, caption = make(spec_of("switches", ["iid", "one", "h8"]), rows, [])
    # iid at .30 to .33 and one at .40 to .43: .365 in the mean
    for axes, level in zip(figure.axes, (0.365, 0.9), strict=True):
        (line,) = [line for line in axes.lines if line.get_gid() == "untrained"]
        assert line.get_ydata()[0] == pytest.approx(level)
    assert (table["statistic"] == "untrained").sum() == 2
    assert "network before training" in caption and "36.5 %" in caption


def test_sizes_judge_the_largest_against_the_smallest(hybrids: pd.DataFrame):
    rows = hybrids.assign(auc=[0.80, 0.81, 0.82, 0.83] + [0.75] * 4 + [0.6, 0.61, 0.62, 0.63])
    _, figure, caption = make(spec_of("sizes", ["iid", "one", "h8"], claims=2), rows, [])
    claim = "AUC: the claim that the largest model collapses less than the smallest shows"
    assert claim in caption and "(h8 minus iid: -0.200 [" in caption and "at 97.5 %" in caption
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["iid", "one", "h8"]


def test_methods_judge_nothing(hybrids: pd.DataFrame):
    rows = hybrids.assign(method=["simsiam"] * 4 + ["byol"] * 4 + ["vicreg"] * 4)
    _, _, caption = make(spec_of("methods", ["iid", "one", "h8"]), rows, [])
    assert "of 3 methods" in caption and "claim" not in caption
    assert "Their losses are of different kinds" in caption


@pytest.fixture
def trained(run_rows, tmp_path: Path) -> tuple[pd.DataFrame, list[Path]]:
    """Two seeds of one run, analysed before training and after 2 epochs."""
    start = run_rows("a", epoch=0, final=False, auc=[0.9, 0.94], knn_cosine_k20=[0.1, 0.1])
    end = run_rows("a", epoch=2, auc=[0.7, 0.8], knn_cosine_k20=[0.4, 0.6])
    paths = []
    for seed in (0, 1):
        path = tmp_path / f"runs/a/seed{seed}/training.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"epoch,loss,lr,effective_rank\n1,-0.{5 + seed},1,9\n2,-0.9,0.5,7\n")
        paths.append(path)
    return pd.concat([start, end], ignore_index=True).assign(chance=0.1), paths


def test_curves_are_means_by_epoch_of_summary_and_training(trained):
    rows, paths = trained
    columns = ["training_loss", "batch_effective_rank", "auc", "knn_cosine_k20"]
    table, figure, caption = make(spec_of("curves", ["a"], columns=columns), rows, paths)
    found = table[table["statistic"] == "mean"].set_index(["panel", "epoch"])["value"]
    assert found.to_dict() == pytest.approx({
        ("training_loss", 1): -0.55, ("training_loss", 2): -0.9,
        ("batch_effective_rank", 1): 9, ("batch_effective_rank", 2): 7,
        ("auc", 0): 0.92, ("auc", 2): 0.75,
        ("knn_cosine_k20", 0): 0.1, ("knn_cosine_k20", 2): 0.5,
    })  # fmt: skip
    for axes, column in zip(figure.axes, columns, strict=True):
        (line,) = [line for line in axes.lines if line.get_gid() == "mean a"]
        np.testing.assert_allclose(line.get_ydata(), found[column].to_numpy())
    assert "AUC, a: 0.920 (epoch 0) to 0.750 (epoch 2)." in caption
    with pytest.raises(UserError, match=r"no training\.csv of run 'a', seed 0 was given"):
        make(spec_of("curves", ["a"], columns=columns), rows, [])


@pytest.fixture
def planes(run_rows) -> pd.DataFrame:
    """Six runs whose accuracy is 1 - auc - loss / 10, but for one seed of the last."""
    pairs = [(0.6, -1), (0.7, 0), (0.65, -2), (0.8, -1), (0.75, -3), (0.7, -2)]
    parts = [
        run_rows(f"r{i}", auc=[auc] * 2, loss=loss, knn_cosine_k20=1 - auc - loss / 10)
        for i, (auc, loss) in enumerate(pairs)
    ]
    return pd.concat(parts, ignore_index=True)


RUNS = [f"r{i}" for i in range(6)]


def test_a_forecast_leaves_out_the_run_that_it_is_for(planes: pd.DataFrame):
    table, _, caption = make(spec_of("forecast", RUNS), planes, [])
    seeds = table[table["statistic"] == "seed"]
    np.testing.assert_allclose(seeds["forecast"], seeds["value"], atol=1e-12)  # it is a plane
    r2 = table[table["statistic"] == "r2"].set_index("label")["value"]
    assert r2["both"] == pytest.approx(1) and r2["measure"] < 1 and r2["loss"] < 1
    assert "R^2 1.00 [1.00, 1.00]" in caption
    # an outlier moves the forecasts of all runs but its own
    planes.loc[planes["run"] == "r5", "knn_cosine_k20"] += 1
    moved = make(spec_of("forecast", RUNS), planes, [])[0]
    moved = moved[moved["statistic"] == "seed"]
    same = np.isclose(moved["forecast"], seeds["forecast"])
    assert (same == (moved["run"] == "r5")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": ["simsiam"] * 11 + ["byol"]}, "losses of different methods"),
        ({"loss": [np.nan] * 4 + [0.0] * 8}, "needs 5 runs with numbers, there are 4"),
    ],
)
def test_a_forecast_that_cannot_be_is_refused(planes: pd.DataFrame, change, message: str):
    with pytest.raises(UserError, match=message):
        make(spec_of("forecast", RUNS), planes.assign(**change), [])


def test_measures_are_ranked_by_their_rank_correlation_with_accuracy(planes: pd.DataFrame):
    rng = np.random.default_rng(0)
    rows = planes.assign(rankme=np.repeat(rng.normal(size=6), 2))
    table, _, caption = make(spec_of("ranking", RUNS), rows, [])
    runs = rows.groupby("run").first()
    for row in table.itertuples():  # SciPy's
        expected = spearmanr(runs[row.quantity], runs["knn_cosine_k20"]).statistic
        assert row.value == pytest.approx(expected) and row.low <= row.value <= row.high
    assert set(table["quantity"]) == {"auc", "rankme", "loss"}
    assert table["value"].abs().is_monotonic_decreasing
    assert "3 measures were looked at" in caption


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize("kind", ["shares", "switches", "schedules", "sizes", "forecast",
                                  "ranking", "curves", "spectra"])  # fmt: skip
def test_in_print_nothing_is_smaller_than_7_pt_and_the_width_is_the_columns(
    planes: pd.DataFrame, write_spectrum, tmp_path: Path, kind: str, width: str
):
    columns = {"columns": ["auc", "knn_cosine_k20", "epps_pulley"]} if kind == "curves" else {}
    keys = {"width": width, "show_title": False, "letters": True, **columns}
    spec = spec_of(kind, RUNS, **keys)
    rows = planes.assign(share=np.repeat([1.0, 2, 5, 10, 50, 100], 2), chance=0.1)
    rows["epps_pulley"] = range(12)  # the longest name
    seeds = [(run, seed) for run in RUNS for seed in (0, 1)] if kind == "spectra" else []
    _, figure, _ = make(spec, rows, [write_spectrum(*seed, [4.0, 2, 1]) for seed in seeds])
    save(spec, figure, [tmp_path / "drawn.pdf"])
    assert figure.get_figwidth() == {"column": 3.3, "page": 6.9}[width]
    with style(spec):
        figure.canvas.draw()
    shown = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(text.get_fontsize() for text in shown) >= 7
    assert figure.get_suptitle() == ""
    drawn = figure.get_tightbbox()  # of all that is drawn, in inches
    assert drawn.x0 >= 0 and drawn.x1 <= figure.get_figwidth(), "something is cut"
    assert drawn.y0 >= 0 and drawn.y1 <= figure.get_figheight(), "something is cut"


def test_shares_have_a_curve_for_each_name_and_are_judged_for_each(planes: pd.DataFrame):
    runs = [{"name": run, "curve": "small" if i < 3 else "large"} for i, run in enumerate(RUNS)]
    rows = planes.assign(share=np.repeat([1.0, 10, 100, 1, 10, 100], 2))
    table, figure, caption = make(spec_of("shares", runs), rows, [])
    lines = [line for line in figure.axes[1].lines if line.get_gid() == "mean"]
    assert [list(line.get_ydata()) for line in lines] == [[0.6, 0.7, 0.65], [0.8, 0.75, 0.7]]
    assert set(table["curve"].dropna()) == {"small", "large"}
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["small", "large"]
    assert "small: AUC: the claim" in caption and "large: AUC: the claim" in caption


def test_each_size_is_marked_where_it_began(planes: pd.DataFrame):
    before = planes.assign(epoch=0, final=False, auc=planes["auc"] + 0.1, knn_cosine_k20=0.1)
    rows = pd.concat([planes, before], ignore_index=True)
    table, figure, caption = make(spec_of("sizes", RUNS), rows, [])
    (marks,) = [c for c in figure.axes[1].collections if c.get_gid() == "untrained"]
    np.testing.assert_allclose(marks.get_offsets()[:, 0], [0.7, 0.8, 0.75, 0.9, 0.85, 0.8])
    assert list(marks.get_offsets()[:, 1]) == list(range(6))
    assert "each network before training" in caption
    assert (table["statistic"] == "untrained").sum() == 12
    _, _, caption = make(spec_of("methods", RUNS), rows, [])
    assert "the network before training" in caption


def test_losses_of_several_methods_are_named(trained):
    rows, paths = trained
    other = rows.assign(run="b", method="byol")
    paths += [Path(str(path).replace("/a/", "/b/")) for path in paths]
    for path in paths[2:]:
        path.parent.mkdir(parents=True)
        path.write_text("epoch,loss\n1,5\n2,4\n")
    both = pd.concat([rows, other], ignore_index=True)
    table, _, caption = make(spec_of("curves", ["b", "a"], columns=["training_loss"]), both, paths)
    assert list(dict.fromkeys(table["label"])) == ["b", "a"], "in the order of the figure's runs"
    assert "not to be compared (b: byol, a: simsiam)" in caption


def test_no_measure_that_needs_labels_is_ranked(planes: pd.DataFrame):
    rows = planes.assign(nc1=range(12), cdnv=range(12), auc_low=range(12), rankme=range(12))
    table, _, _ = make(spec_of("ranking", RUNS), rows, [])
    assert set(table["quantity"]) == {"auc", "rankme", "loss"}
