"""Spectra: their table holds what the artists show; captions are honest."""

import json

import numpy as np
import pandas as pd
import pytest
from drawn import ALL, SPECTRA, before_training, expected, one, texts

from ssl_collapse.config.figures import parse_figure
from ssl_collapse.figures.registry import make
from ssl_collapse.runtime.errors import UserError

pytestmark = pytest.mark.usefixtures("two_seeds_are_enough")


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
    paths = [write_spectrum(run, seed, [4.0, 2, 1]) for run in ALL for seed in (0, 1)]
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


def test_without_the_auc_three_panels_and_the_legend_in_the_fourth_place(
    sweep: pd.DataFrame, write_spectrum
) -> None:
    sigma = {"s1": [4.0, 3, 2, 1], "s10": [6.0, 2, 1, 1], "s100": [9.5, 0.3, 0.1, 0.1]}
    paths = [write_spectrum(run, seed, sigma[run]) for run in ALL for seed in (0, 1)]
    paths.append(write_spectrum("s1", 2, [1.0, 1, 1, 1], epoch=0))
    before = sweep[sweep["run"] == "s1"][:1].assign(seed=2, epoch=0, final=False)
    rows = pd.concat([sweep, before], ignore_index=True)
    spec = parse_figure(SPECTRA.replace("{", '{"auc": false, ', 1))
    table, figure, caption = make(spec, rows, paths)
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
    assert set(table["panel"]) == {"singular_value", "normalized", "cumulative"}
    assert texts(figure) == ["1 %", "10 %", "100 %", "untrained", "flat"]
    figure.canvas.draw()
    legend, place = figure.legends[0].get_window_extent(), figure.axes[3].get_window_extent()
    assert place.x0 < legend.x0 < legend.x1 < place.x1 and place.y0 < legend.y0 < place.y1
    # cumulative .4 .7 .9 1; .6 .8 .9 1; .95
    assert "lies in the first: 1 % 3 of 4; 10 % 3 of 4; 100 % 1 of 4." in caption
    assert "Not drawn: its mean over j, the AUC" in caption and "claim" not in caption
    assert "(d)" not in caption and "Dash-dotted: the network before training" in caption


def test_seeds_of_different_width_are_refused(run_rows, write_spectrum) -> None:
    paths = [write_spectrum("a", 0, [2.0, 1.0]), write_spectrum("a", 1, [2.0, 1.0, 0.5])]
    spec = parse_figure('{"kind": "spectra", "runs": ["a"]}')
    with pytest.raises(UserError, match="seeds of run 'a' have spectra of 2 and 3 values"):
        make(spec, run_rows("a", auc=[0.7, 0.7]), paths)


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
