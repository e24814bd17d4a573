"""What the report says beside figures: verdicts, what was run, what is not there yet."""

import os
from pathlib import Path

import pandas as pd
import pytest

from ssl_collapse.config.figures import ReportSpec
from ssl_collapse.figures.claims import Verdict, judge, share_claim, told
from ssl_collapse.figures.report import Sources, page
from ssl_collapse.figures.what_ran import WhatRan, measurements, recipe_tables, times
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import Interval

KINDS = {Verdict.SHOWS: "shows", Verdict.OPPOSITE: "opposite", Verdict.NO_NUMBERS: "unjudged"}


@pytest.mark.parametrize("verdict", Verdict)
def test_what_a_caption_judges_is_read_back(verdict: Verdict):
    name, numbers = "0.5x: k-NN accuracy (cosine, k = 20)", "iid minus one (2 s): -0.1 [-0.2, 0.0]"
    sentence = f"{name}: the claim that it is so {verdict.value} ({numbers})."
    found = told(f"Every run trains for 60 steps. {sentence} {sentence.replace('0.5x', 'y')}")
    assert [one.about for one in found] == [name, name.replace("0.5x", "y")]
    assert {(o.claim, o.verdict, o.numbers) for o in found} == {
        ("that it is so", verdict.value, numbers)
    }
    assert {one.kind for one in found} == {KINDS.get(verdict, "undecided")}


def test_the_fewest_seeds_of_a_verdict_are_four():
    assert judge(Interval(0.2, 0.1, 0.3, 3), +1) is Verdict.FEW_SEEDS
    assert judge(Interval(0.2, 0.1, 0.3, 4), +1) is Verdict.SHOWS
    assert judge(Interval(0.1, -0.1, 0.3, 3), +1) is Verdict.UNDECIDED


def test_a_claim_that_is_not_judged_is_read_as_such(run_rows):
    rows = pd.concat(
        [run_rows(f"s{s}", share=s, auc=[0.1, 0.2], steps=s) for s in (1.0, 10.0)],
        ignore_index=True,
    )
    (one,) = told(share_claim(rows, quantity("auc"), +1))
    assert (one.about, one.claim, one.kind) == ("AUC", "that more data raises it", "unjudged")


def test_recipes_are_told_once_where_they_agree():
    recipes = {"a": {"m": {"name": "x"}, "lr": 0.1}, "b": {"m": {"name": "x"}, "lr": 0.2, "k": [1]}}
    shared, heads, rows = recipe_tables(recipes)
    assert shared == [["m.name", "x"]]
    assert (heads, rows) == (["Run", "lr", "k"], [["a", "0.1", ""], ["b", "0.2", "[1]"]])
    assert recipe_tables({})[2] == []
    stages = {"knn": (["0"], [{"k_max": 50, "of": {"x": [1]}}]), "pretrain": (["1"], [{}])}
    assert measurements(stages) == [["knn", "k_max: 50; of.x: [1]"]]


def test_a_claim_that_two_figures_judge_is_told_once_and_cautiously(run_rows, tmp_path: Path):
    sentence = "AUC: the claim that x raises it {} (slope +0.1 [{}, +0.2])."
    pages = {
        "one": sentence.format(Verdict.SHOWS.value, "+0.08"),
        "two": sentence.format(Verdict.UNSURE.value, "+0.04"),
        "other": sentence.format(Verdict.SHOWS.value, "+0.08").replace("+0.1 ", "+0.3 "),
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.png").write_bytes(b"")
        (tmp_path / f"{name}.txt").write_text(f"Title\n\n{text}\n")
        (tmp_path / f"{name}.csv").write_text("quantity,statistic,value\nauc,mean,0.7\n")
    run_rows("a").to_csv(tmp_path / "summary.csv", index=False)
    files = [tmp_path / f"{name}.png" for name in pages]
    sources = Sources(tmp_path / "summary.csv", files, [], tmp_path, tmp_path / "report.html")
    made = page(ReportSpec(title="T", runs=["a"]), sources, WhatRan())
    assert "Of 2 claims judged: 1 shows, 1 undecided" in made
    assert "1 run, 1 training, none of which diverged." in made


def test_times_are_those_of_the_trainings_that_are_there(tmp_path: Path):
    paths = [tmp_path / f"runs/{run}/seed{seed}/training.csv" for run, seed in
             (("a", 0), ("a", 1), ("gone", 0), ("other", 0), ("taken", 0))]  # fmt: skip
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text("epoch,loss\n1,0\n2,0\n")
        epochs = [1] if "other" in str(path) else [1, 2]
        rows = [f"{epoch},{10 * epoch},{60 * epoch}\n" for epoch in epochs]
        path.with_name("speed.csv").write_text("epoch,images_per_second,seconds\n" + "".join(rows))
    paths[2].with_name("speed.csv").unlink()
    os.utime(paths[4], (1, 1))  # of the store: made at another time than the speed.csv beside it
    # (60 s + 120 s) twice; 10 and 20 images per second, by their seconds: (600 + 2400) / 180
    assert times(paths) == (
        [("a", "2", "6 min", "17")],
        "Training took 6 min in all, one after another. Of 3 trainings it is not known: they are "
        "not of this folder.",
    )


def test_a_page_is_made_of_what_is_there_already(run_rows, tmp_path: Path):
    spec = ReportSpec(title="T", runs=["a", "b"])
    figures = [tmp_path / "figures/late.png"]
    sources = Sources(tmp_path / "summary.csv", figures, [tmp_path / "d.json"], tmp_path,
                      tmp_path / "report.html")  # fmt: skip
    nothing = page(spec, sources, WhatRan(), partial=True)
    assert "The figure late is not drawn yet." in nothing and "There is no table" in nothing
    with pytest.raises(UserError, match="late"):
        page(spec, sources, WhatRan())
    run_rows("a", auc=[0.7, 0.8]).to_csv(sources.summary, index=False)
    some = page(spec, sources, WhatRan(), partial=True)
    assert "The run b is not in the table yet." in some and "0.750 ± 0.635" in some
    assert "1 run, 2 trainings, none" in some
