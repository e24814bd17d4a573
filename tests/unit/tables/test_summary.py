"""tables/summary.csv: what each column holds, and what a damaged result is answered with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import run_here
from safetensors.numpy import save_file

from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec
from ssl_collapse.config.summary import SummaryRow, parse_rows
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.evaluation.knn import classify
from ssl_collapse.evaluation.proposals import CpuBackend
from ssl_collapse.representations.file import open_representations
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.summary import knn_columns, read_losses, summarize

# 1000 images, batch 100: 10 steps per epoch, 4 epochs
MODEL = {"method": {"name": "simsiam"}, "backbone": {"arch": "small_resnet"}}
RECIPE = {**MODEL, "epochs": 4, "batch_size": 100}
KNN = {
    "protocol": {},
    "results": {"cosine": {
        "majority": {"fixed_k": {"1": 0.5, "20": 0.6, "200": None},
                     "oracle": {"k": 9, "accuracy": 0.65}},
        "weighted": {"fixed_k": {"1": 0.5, "20": 0.61, "200": None},
                     "oracle": {"k": 8, "accuracy": 0.66}},
    }},
}  # fmt: skip


def plan_row(**changes: object) -> dict[str, Any]:
    return {
        "run": "iid", "seed": 0, "epoch": 4, "final": True, "dataset": "toy",
        "recipe": RECIPE, "start_run": None, "start_epoch": None, **changes,
    }  # fmt: skip


def rows(*plan: dict[str, Any]) -> list[SummaryRow]:
    return parse_rows(json.dumps(plan))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The results of run `iid`, seed 0, epoch 4."""
    counts = {"classes": ["a", "b", "c", "d"], "splits": {"train": {"images": 1000}}}
    write_json(tmp_path / "data/toy/dataset.json", {"dataset": "toy", **counts})
    write_run(tmp_path, "iid", auc=0.75)
    return tmp_path


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_run(results: Path, run: str, loss: str = "-0.5", first: int = 1, **collapse: Any) -> None:
    folder = results / f"runs/{run}/seed0"
    write_json(folder / "epoch0004/collapse.json", {**collapse, "dtype": "float32"})
    write_json(folder / "epoch0004/knn.json", KNN)
    lines = [f"{epoch},{loss if epoch == 4 else '-0.1'},0.05,0.2,9.5" for epoch in range(first, 5)]
    head = "epoch,loss,lr,std_per_dimension,effective_rank"
    (folder / "training.csv").write_text("\n".join([head, *lines]) + "\n")


def test_columns_of_one_row(results: Path) -> None:
    (row,) = summarize(rows(plan_row()), results).to_dict("records")
    plan = {
        "run": "iid", "seed": 0, "epoch": 4, "final": True, "dataset": "toy", "method": "simsiam",
        "arch": "small_resnet", "schedule": "iid", "share": 100.0, "train_images": 1000,
        "epochs": 4, "steps": 40, "batch_size": 100, "loss": -0.5, "auc": 0.75,
        "knn_cosine_k1": 0.5, "knn_cosine_k20": 0.6, "knn_cosine_oracle": 0.65,
        "knn_cosine_oracle_k": 9, "knn_cosine_weighted_k20": 0.61, "chance": 0.25,
        "diverged": False,
    }  # fmt: skip
    assert {name: row[name] for name in plan} == plan
    empty = {name for name, value in row.items() if pd.isna(value)}
    assert empty == {
        "failure", "start_run", "start_epoch", "knn_cosine_k200", "knn_cosine_weighted_k200",
        "knn_l2_k1", "knn_l2_k20", "knn_l2_k200", "knn_l2_oracle", "knn_l2_oracle_k",
    }  # fmt: skip
    assert "dtype" not in row  # a word is no measure


def test_the_projector_and_measures_of_views_have_columns_where_they_were_asked_for(
    results: Path,
) -> None:
    folder = results / "runs/iid/seed0/epoch0004"
    write_json(folder / "view-measures.json", {"lidar": 12.5, "alignment": 0.3, "protocol": {}})
    failed = {"diverged": True, "failure": "all representations are equal"}
    for name, content in {
        "collapse.json": {"auc": None, **failed},
        "view-measures.json": {"lidar": None, "alignment": None, **failed},
        "knn.json": {"results": {}},
    }.items():
        write_json(folder / "projector" / name, content)
    (row,) = summarize(rows(plan_row(projector=True, views=True)), results).to_dict("records")
    assert (row["auc"], row["lidar"], row["alignment"]) == (0.75, 12.5, 0.3)
    # a projector that has collapsed has no measures; its backbone has not failed
    assert np.isnan(row["projector_auc"]) and np.isnan(row["projector_lidar"])
    assert row["projector_knn_cosine_k1"] is None or pd.isna(row["projector_knn_cosine_k1"])
    assert row["diverged"] is False and "projector_dtype" not in row


def test_the_network_before_training_has_no_loss_and_has_not_failed(results: Path) -> None:
    folder = results / "runs/iid/seed0"
    (folder / "epoch0004").rename(folder / "epoch0000")
    table = summarize(rows(plan_row(epoch=0, final=False)), results)
    assert table["loss"].isna().all() and table["auc"].tolist() == [0.75]
    assert not table["diverged"].any()


def test_only_numbers_at_the_top_of_collapse_json_become_columns(results: Path) -> None:
    write_run(results, "iid", auc=0.75, alpha=None, notes=["x"], rankme=12, centred=True, epoch=99)
    (row,) = summarize(rows(plan_row()), results).to_dict("records")
    assert (row["auc"], row["rankme"], row["epoch"]) == (0.75, 12, 4)
    assert not {"alpha", "notes", "centred"} & row.keys()


def test_share_counts_the_images_that_the_schedule_shows(results: Path) -> None:
    schedules: dict[str, tuple[dict[str, Any], float]] = {
        "last": ({"schedule": "last", "share": 20.0}, 20.0),  # 200 of 1000, every epoch
        "single": ({"schedule": "current"}, 100.0),  # a quarter per epoch, all after four
        "cumulative": ({"schedule": "accumulate"}, 100.0),
    }
    for run in schedules:
        write_run(results, run, auc=0.7)
    plan = [plan_row(run=r, recipe={**RECIPE, **keys}) for r, (keys, _) in schedules.items()]
    table = summarize(rows(*plan), results).set_index("run")
    assert table["share"].to_dict() == {run: share for run, (_, share) in schedules.items()}
    assert table["schedule"].tolist() == ["last", "current", "accumulate"]
    assert set(table["steps"]) == {40}


def test_a_share_is_what_was_configured_whatever_the_number_of_images(results: Path) -> None:
    # a fifth of 1,281,167 images is 256,234 of them, 20.00005 %
    path = results / "data/toy/dataset.json"
    write_json(path, json.loads(path.read_text()) | {"splits": {"train": {"images": 1281167}}})
    for run in ("share", "chunk", "single"):
        write_run(results, run, auc=0.7)
    plan = [
        plan_row(run="share", recipe={**RECIPE, "share": 20.0}),
        plan_row(run="chunk", recipe={**RECIPE, "schedule": "last", "chunk_size": 3}),
        # chunks of two of the four epochs; the run's own are epochs 3 and 4, the second half
        plan_row(
            run="single", recipe={**RECIPE, "schedule": "current", "chunk_size": 2},
            start_run="share", start_epoch=2,
        ),
    ]  # fmt: skip
    assert summarize(rows(*plan), results)["share"].tolist() == [20.0, 75.0, 50.0]


def test_results_of_a_newer_version_are_refused_and_those_without_are_read(results: Path) -> None:
    write_run(results, "iid", auc=0.75, format_version=1)
    (row,) = summarize(rows(plan_row()), results).to_dict("records")
    assert row["auc"] == 0.75 and "format_version" not in row
    write_run(results, "iid", auc=0.75, format_version=2)
    with pytest.raises(UserError, match=r"collapse\.json: format_version is 2, .* reads 1 to 1"):
        summarize(rows(plan_row()), results)


def test_a_hybrid_names_its_start_and_reads_its_own_losses(results: Path) -> None:
    write_run(results, "hybrid", first=3, auc=0.7)  # epochs 1 and 2 are the other run's
    table = summarize(rows(plan_row(run="hybrid", start_run="iid", start_epoch=2)), results)
    assert table[["start_run", "start_epoch", "loss"]].values.tolist() == [["iid", 2, -0.5]]


def test_a_loss_that_is_not_finite_flags_the_run(results: Path) -> None:
    write_run(results, "nan", loss="nan", auc=0.7)
    write_run(results, "flagged", auc=0.7, diverged=True)
    plan = [plan_row(run=run) for run in ("iid", "nan", "flagged")]
    table = summarize(rows(*plan), results)
    assert table["diverged"].tolist() == [False, True, True]
    assert table["failure"][1:].tolist() == ["the loss is nan", "diverged"]


def test_the_columns_of_what_failed_are_there_and_empty(results: Path) -> None:
    # all runs have failed: by the training's representations, or by those of val alone
    why = {"diverged": True, "failure": "total collapse"}
    write_run(results, "train", loss="nan", **why, auc=None, rankme=None, n=60)
    write_run(results, "val", auc=0.7)
    null = {"fixed_k": {"1": None, "20": None}, "oracle": {"k": None, "accuracy": None}}
    knn = {**why, "results": {"cosine": {"majority": null, "weighted": null}}}
    for run in ("train", "val"):
        write_json(results / f"runs/{run}/seed0/epoch0004/knn.json", knn)
        probe = {**why, "num_classes": 4, "top1_last": None, "epochs": []}
        write_json(results / f"runs/{run}/seed0/epoch0004/probe.json", probe)
    plan = [plan_row(run=run, probe=True) for run in ("train", "val")]
    path = results / "summary.csv"
    summarize(rows(*plan), results).to_csv(path, index=False)
    table = pd.read_csv(path)
    assert table["diverged"].tolist() == [True, True]
    assert table["failure"].tolist() == ["total collapse"] * 2
    assert table["auc"].isna().tolist() == [True, False]
    empty = ["rankme", "knn_cosine_k1", "knn_cosine_k20", "knn_cosine_oracle", "probe_top1_last"]
    assert table[empty].isna().all(axis=None)
    assert table["n"][0] == 60 and table["probe_num_classes"].tolist() == [4, 4]


def test_rows_with_different_measures_share_one_table(results: Path) -> None:
    write_run(results, "more", auc=0.7, rankme=3.5)
    write_json(results / "runs/more/seed0/epoch0004/probe.json", {"top1": 0.4, "per_epoch": []})
    table = summarize(rows(plan_row(), plan_row(run="more", probe=True)), results)
    assert np.isnan(table["rankme"][0]) and table["rankme"][1] == 3.5
    assert table["probe_top1"][1] == 0.4
    assert list(table.columns[-3:]) == ["chance", "failure", "diverged"]


def test_both_probes_have_columns_of_their_own(results: Path) -> None:
    for name, top1 in (("probe", 0.4), ("probe-cached", 0.3)):
        write_json(results / f"runs/iid/seed0/epoch0004/{name}.json", {"top1_last": top1})
    table = summarize(rows(plan_row(probe=True, probe_cached=True)), results)
    assert table[["probe_top1_last", "probe_cached_top1_last"]].values.tolist() == [[0.4, 0.3]]


def test_it_reads_what_the_measurements_write(results: Path) -> None:
    rng = np.random.default_rng(0)
    folder = results / "runs/iid/seed0/epoch0004"
    path = results / "representations.safetensors"
    values = rng.normal(size=(60, 4)).astype(np.float32)
    save_file({"representations": values, "targets": rng.integers(0, 3, 60)}, path)
    opened = open_representations(path)
    write_json(folder / "collapse.json", measure_collapse(opened, CollapseSpec()).content)
    knn = classify(opened, opened, KnnSpec(k_max=30), CpuBackend(1))
    write_json(folder / "knn.json", knn.content)
    (row,) = summarize(rows(plan_row()), results).to_dict("records")
    assert 0.5 < row["auc"] < 1 and row["rankme"] > 1 and "noise_floor" in row
    for metric in ("cosine", "l2"):
        curve = knn.accuracy[metric, "majority"]
        assert row[f"knn_{metric}_k20"] == curve[19]
        assert row[f"knn_{metric}_oracle"] == curve[row[f"knn_{metric}_oracle_k"] - 1] == max(curve)
        assert pd.isna(row[f"knn_{metric}_k200"])
    assert row["knn_cosine_weighted_k20"] == knn.accuracy["cosine", "weighted"][19]


def test_missing_and_damaged_files_are_named(results: Path) -> None:
    with pytest.raises(UserError, match=r"seed1/training\.csv: there is no such file"):
        summarize(rows(plan_row(seed=1)), results)
    with pytest.raises(UserError, match=r"training\.csv: no row of epoch 5"):
        summarize(rows(plan_row(epoch=5)), results)
    knn = results / "runs/iid/seed0/epoch0004/knn.json"
    knn.write_text('{"results": [')
    with pytest.raises(UserError, match=r"knn\.json: not a JSON file"):
        knn_columns(knn)
    knn.write_text("[1]")
    with pytest.raises(UserError, match=r"knn\.json: a JSON object is expected"):
        knn_columns(knn)
    knn.write_text('{"results": []}')
    with pytest.raises(UserError, match=r"knn\.json: not a knn\.json"):
        knn_columns(knn)
    losses = results / "losses.csv"
    losses.write_text("epoch,loss\n1,low\n")
    with pytest.raises(UserError, match=r"losses\.csv: not a training\.csv"):
        read_losses(losses)
    write_json(results / "data/toy/dataset.json", {"classes": []})
    with pytest.raises(UserError, match=r"dataset\.json of 'toy'"):
        summarize(rows(plan_row()), results)


def test_the_script_takes_a_long_list_from_a_file(results: Path) -> None:
    spec, output = json.dumps([plan_row()]), results / "tables/summary.csv"
    file = results / "rows.json"
    file.write_text(spec)
    texts = []
    for source in (["--spec", spec], ["--spec", f"@{file}"]):
        done = run_here("summarize", *source, "--results", results, "--output", output)
        assert done.returncode == 0, done.stderr
        texts.append(output.read_bytes())
    assert texts[0] == texts[1]
    assert b",iid,100.0,,,1000,4,40,100,-0.5,0.75," in texts[0]
    done = run_here("summarize", "--spec", "[]", "--results", ".", "--output", "x.csv")
    assert done.returncode == 2 and "at least 1 item" in done.stderr
