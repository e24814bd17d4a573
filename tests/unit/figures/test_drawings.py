"""Every kind of figure: its table holds exactly what the artists show; captions are honest."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from ssl_collapse.config.figures import PlottedRun, parse_figure
from ssl_collapse.figures import claims
from ssl_collapse.figures.registry import make
from ssl_collapse.figures.theme import printable, save, style
from ssl_collapse.runtime.errors import UserError

SHARES = '{"kind": "shares", "runs": ["s1", "s10", "s100"]}'
SCHEDULES = '{"kind": "schedules", "runs": ["iid", "single", "hybrid"], "title": "Mine"}'
SPECTRA = '{"kind": "spectra", "runs": ["s1", "s10", "s100"]}'


@pytest.fixture(autouse=True)
def two_seeds_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For verdicts on what can be worked out by hand."""
    monkeypatch.setattr(claims, "FEWEST", 2)


@pytest.fixture
def sweep(run_rows) -> pd.DataFrame:
    runs = {
        "s1": run_rows("s1", share=1.0, auc=[0.70, 0.71], knn_cosine_k20=[0.40, 0.42]),
        "s10": run_rows("s10", share=10.0, auc=[0.75, 0.76], knn_cosine_k20=[0.38, 0.43]),
        "s100": run_rows("s100", share=100.0, auc=[0.80, 0.81], knn_cosine_k20=[0.41, 0.40]),
    }
    return pd.concat([rows.assign(chance=0.1) for rows in runs.values()], ignore_index=True)


@pytest.fixture
def schedules(run_rows) -> pd.DataFrame:
    start = {"start_run": "single", "start_epoch": 8}
    runs = [
        run_rows("iid", auc=[0.80, 0.81], knn_cosine_k20=[0.30, 0.31]),
        run_rows("single", auc=[0.60, 0.61], knn_cosine_k20=[0.40, 0.41], schedule="current"),
        run_rows("hybrid", auc=[0.75, 0.76], knn_cosine_k20=[0.60, 0.61], **start),
    ]
    return pd.concat(runs, ignore_index=True)


def one(values: Iterable[object], gid: str) -> list[object]:
    return [artist for artist in values if artist.get_gid() == gid]


def seeds_shown(axes: Axes) -> np.ndarray:
    found = [c for c in one(axes.collections, "seed") if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(c.get_offsets()) for c in found])


def expected(table: pd.DataFrame, panel: str, statistic: str, *columns: str) -> np.ndarray:
    rows = table[(table["panel"] == panel) & (table["statistic"] == statistic)]
    return rows[list(columns)].to_numpy(dtype=np.float64)


def texts(figure: Figure) -> Sequence[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


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


def before_training(sweep: pd.DataFrame) -> pd.DataFrame:
    """The sweep with epoch 0 of run s1: AUC .9 and .92, accuracy .2 and .3."""
    rows = sweep[sweep["run"] == "s1"].assign(
        epoch=0, final=False, auc=[0.90, 0.92], knn_cosine_k20=[0.2, 0.3]
    )
    return pd.concat([sweep, rows], ignore_index=True)


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


def test_spectra_shows_its_table(sweep: pd.DataFrame, write_spectrum) -> None:
    values = {
        "s1": [8.0, 4.0, 2.0, 1.0],
        "s10": [8.0, 2.0, 1.0, 0.5],
        "s100": [8.0, 1.0, 0.1, 0.01],
    }
    paths = [
        write_spectrum(run, seed, [(1 + seed) * v for v in sigma])
        for run, sigma in values.items()
        for seed in (0, 1)
    ]
    table, figure, caption = make(parse_figure(SPECTRA), sweep, paths)
    labels = {"s1": "1 %", "s10": "10 %", "s100": "100 %"}
    for axes, panel in zip(
        figure.axes, ("singular_value", "normalized", "cumulative"), strict=False
    ):
        for run, label in labels.items():
            (line,) = one(axes.lines, f"mean {label}")
            curve = expected(table[table["run"] == run], panel, "mean", "index", "value")
            np.testing.assert_array_equal(line.get_xydata(), curve)
    # geometric mean of seeds with sigma and 2 sigma: sqrt(2) sigma; the ratio to the largest is 1/2
    first = table[(table["run"] == "s1") & (table["index"] == 2)].set_index("panel")["value"]
    assert first["singular_value"] == pytest.approx(4 * np.sqrt(2))
    assert first["normalized"] == pytest.approx(0.5)
    assert first["cumulative"] == pytest.approx(12 / 15)
    (flat,) = one(figure.axes[2].lines, "flat")
    np.testing.assert_array_equal(flat.get_xydata(), [[1, 0.25], [4, 1.0]])
    (auc,) = one(figure.axes[3].lines, "mean")
    np.testing.assert_array_equal(
        auc.get_xydata(), expected(table, "auc", "mean", "share", "value")
    )
    assert "AUC: the claim that more data raises it shows at this scale" in caption
    assert "noise floor" not in caption


def test_the_spectrum_before_training_is_a_line_in_every_panel(sweep, write_spectrum) -> None:
    paths = [
        write_spectrum(run, seed, [4.0, 2, 1]) for run in ("s1", "s10", "s100") for seed in (0, 1)
    ]
    paths += [write_spectrum("s1", seed, [6.0, 1, 1], epoch=0) for seed in (0, 1)]
    table, figure, caption = make(parse_figure(SPECTRA), before_training(sweep), paths)
    for axes, panel, values in zip(
        figure.axes,
        ("singular_value", "normalized", "cumulative"),
        ([6, 1, 1], [1, 1 / 6, 1 / 6], [6 / 8, 7 / 8, 1]),
        strict=False,
    ):
        (line,) = one(axes.lines, "untrained")
        np.testing.assert_allclose(line.get_ydata(), values)
        np.testing.assert_array_equal(
            line.get_xydata(), expected(table, panel, "untrained", "index", "value")
        )
    (level,) = one(figure.axes[3].lines, "untrained")
    assert level.get_ydata()[0] == pytest.approx(0.91)
    assert "untrained" in texts(figure) and "(AUC 0.910)" in caption
    # a figure of epoch 0 itself has no baseline
    at_start = SPECTRA.replace('["s1", "s10", "s100"]', '["s1"], "epoch": 0')
    table, _, _ = make(parse_figure(at_start), before_training(sweep), paths)
    assert "untrained" not in set(table["statistic"])


def test_values_below_the_noise_floor_are_not_drawn(run_rows, write_spectrum) -> None:
    rows = run_rows("a", auc=[0.7, 0.7])
    paths = [
        write_spectrum("a", 0, [4.0, 2.0, 1.0, 1e-9], above=[True, True, True, False]),
        write_spectrum("a", 1, [4.0, 2.0, 1e-9, 1e-9], above=[True, True, False, False]),
    ]
    spec = parse_figure('{"kind": "spectra", "runs": ["a"]}')
    table, _, caption = make(spec, rows, paths)
    last = table[table["panel"] != "auc"].groupby("panel")["index"].max()
    assert last.to_dict() == {"cumulative": 4, "normalized": 2, "singular_value": 2}
    assert "noise floor are not drawn in (a) and (b) (a: 2 of 4)" in caption


def test_spectra_of_schedules_are_compared_by_name(schedules, write_spectrum) -> None:
    paths = [
        write_spectrum(run, seed, [3.0, 2.0, 1.0])
        for run in ("iid", "single", "hybrid")
        for seed in (0, 1)
    ]
    spec = parse_figure('{"kind": "spectra", "runs": ["iid", "single", "hybrid"]}')
    _, figure, caption = make(spec, schedules, paths)
    labels = [tick.get_text() for tick in figure.axes[3].get_xticklabels()]
    assert labels == ["iid", "single", "hybrid"]
    assert "single-pass training collapses less than multi-epoch training shows" in caption


def test_seeds_of_different_width_are_refused(run_rows, write_spectrum) -> None:
    paths = [write_spectrum("a", 0, [2.0, 1.0]), write_spectrum("a", 1, [2.0, 1.0, 0.5])]
    spec = parse_figure('{"kind": "spectra", "runs": ["a"]}')
    with pytest.raises(UserError, match="seeds of run 'a' have spectra of 2 and 3 values"):
        make(spec, run_rows("a", auc=[0.7, 0.7]), paths)


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


def spectra_paths(summary: pd.DataFrame, write_spectrum) -> list[Path]:
    """Of a run that has diverged, the spectrum has its header only."""
    paths = []
    for run, seed, diverged in summary[["run", "seed", "diverged"]].itertuples(index=False):
        paths.append(write_spectrum(run, seed, [4.0 + seed, 2.0, 1.0]))
        if diverged:
            paths[-1].write_text("index,singular_value,normalized,cumulative,above_noise_floor\n")
    return paths


ALL = ("s1", "s10", "s100")


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
    save(
        spec, figure, [tmp_path / "drawn.png", tmp_path / "drawn.pdf"]
    )  # nothing that cannot be drawn


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


def test_intervals_keep_to_what_is_possible_and_the_caption_says_so(sweep) -> None:
    # two seeds at 1 % and 40 %: 20.5 % -+ 12.7 * 19.5 points would reach from -227 % to 268 %
    sweep.loc[sweep["run"] == "s1", "knn_cosine_k20"] = [0.01, 0.40]
    table, _, caption = make(parse_figure(SHARES), sweep, [])
    mean = table[(table["run"] == "s1") & (table["statistic"] == "mean")].iloc[0]
    assert (mean["low"], mean["high"]) == (0, 1)
    assert "cut to the values that are possible (k-NN accuracy (cosine, k = 20))." in caption
    assert "cut to" not in make(parse_figure(SCHEDULES.replace("iid", "s1")
        .replace("single", "s10").replace("hybrid", "s100")), sweep.assign(knn_cosine_k20=[
            0.30, 0.31] * 3), [])[2]  # fmt: skip


HOSTILE = ["$x_1$ \\frac", "a\nc", "$", "w" * 300]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", ["shares", "schedules", "spectra"])
def test_titles_and_labels_are_drawn_as_they_are(
    sweep, write_spectrum, tmp_path: Path, kind: str, text: str
) -> None:
    runs = [PlottedRun(name="s1", label=text), PlottedRun(name="s10"), PlottedRun(name="s100")]
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


def test_ours_lie_over_published_spectra_of_other_dimensions(run_rows, write_spectrum) -> None:
    published = {"p1": (1.0, [4.0, 3, 2, 1]), "p100": (100.0, [8.0, 1, 0.5, 0.1])}
    ours = {"s1": (1.0, [3.0, 2]), "all": (100.0, [3.0, 1])}
    rows = pd.concat(
        [
            *(run_rows(name, share=share, auc=0.7, steps=np.nan, schedule=None)
              for name, (share, _) in published.items()),
            *(run_rows(name, share=share, auc=[0.8, 0.9]) for name, (share, _) in ours.items()),
        ],
        ignore_index=True,
    )  # fmt: skip
    paths = [write_spectrum(name, 0, sigma) for name, (_, sigma) in {**published, **ours}.items()]
    paths += [write_spectrum(name, 1, sigma) for name, (_, sigma) in ours.items()]
    runs = [{"name": name, "curve": "published"} for name in published]
    runs += [{"name": name, "curve": "ours"} for name in ours]
    spec = parse_figure(json.dumps({"kind": "spectra", "runs": runs}))
    table, figure, caption = make(spec, rows, paths)
    assert set(table["curve"].dropna()) == {"published", "ours"}
    lines = {
        line.get_gid().removeprefix("mean "): line
        for line in figure.axes[2].lines
        if line.get_gid().startswith("mean ")
    }
    assert list(lines) == ["published, 1 %", "published, 100 %", "ours, 1 %", "ours, 100 %"]
    for name, (_, sigma) in zip(lines, {**published, **ours}.values(), strict=True):
        part = np.arange(1, len(sigma) + 1) / len(sigma)  # of the dimensions, which differ
        np.testing.assert_allclose(lines[name].get_xdata(), part)
        np.testing.assert_allclose(lines[name].get_ydata(), np.cumsum(sigma) / np.sum(sigma))
    looks = {n: (line.get_color(), line.get_linestyle()) for n, line in lines.items()}
    assert looks["published, 1 %"][0] == looks["ours, 1 %"][0] != looks["ours, 100 %"][0]
    assert looks["published, 1 %"][1] != looks["ours, 1 %"][1]
    assert {"published", "ours"} < {*texts(figure)}, "which are told apart in (d)"
    assert "published: AUC: the paper's claim" in caption and "ours: AUC: the claim" in caption


def test_a_diverged_run_is_not_marked_where_a_run_would_be_least_collapsed(sweep) -> None:
    summary = diverge(sweep, "s10")
    _, figure, _ = make(parse_figure(SHARES), summary, [])
    (accuracy,), (auc,) = (one(axes.collections, "diverged") for axes in figure.axes)
    assert set(accuracy.get_offsets()[:, 1]) == {0.0}  # the lower edge: no accuracy
    assert set(auc.get_offsets()[:, 1]) == {1.0}  # the upper one: the lower would say "flat"


def test_spectra_fit_a_column(sweep: pd.DataFrame, write_spectrum, tmp_path: Path) -> None:
    spec = parse_figure(SPECTRA.replace("{", '{"width": "column", ', 1))
    paths = [write_spectrum(run, seed, [4.0, 2, 1]) for run in ALL for seed in (0, 1)]
    _, figure, _ = make(spec, sweep, paths)
    save(spec, figure, [tmp_path / "drawn.png"])
    with style(spec):
        figure.canvas.draw()
    shown = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(text.get_fontsize() for text in shown) >= 7
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0 and drawn.x1 <= 3.3, "something is cut"
