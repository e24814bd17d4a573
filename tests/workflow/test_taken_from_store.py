"""What computes and what takes its results from the store, by Snakemake itself.

The rules of it are tested in tests/unit/provenance/test_store.py, on stages that take no time.
"""

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from equal_results import contents, differences
from snakemake_runs import succeed, write_config
from toy import experiment

TAKEN = "taken from the store, not computed: "
Jobs = tuple[set[str], set[str]]  # that computed, that took; by the names of their logs

BASE = experiment(
    runs={"iid": {"seeds": [0, 1]}, "part": {"share": 50}},
    evaluation={"knn": {"k_max": 5}, "probe": {"mode": "full", "epochs": 1, "batch_size": 8}},
)


def ran(folder: Path, config: dict[str, Any]) -> Jobs:
    """Run an experiment in a folder."""
    logs = folder / config.get("results", "results") / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    succeed(folder, "--cores", "2", config=write_config(folder, config))
    texts = {
        p.relative_to(logs).with_suffix("").as_posix(): p.read_text() for p in logs.rglob("*.log")
    }
    taken = {name for name, text in texts.items() if text.startswith(TAKEN)}
    return texts.keys() - taken, taken


def edited(config: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The config with one key replaced."""
    copy = deepcopy(config)
    *above, last = path.split(".")
    place = copy
    for name in above:
        place = place[name]
    place[last] = value
    return copy


def renamed(config: dict[str, Any], section: str, old: str, new: str) -> dict[str, Any]:
    """The config with a run or dataset called otherwise."""
    names = {new if name == old else name: value for name, value in config[section].items()}
    return {**deepcopy(config), section: names}


def of_run(run: str, *stages: str, seeds: tuple[int, ...] = (0,)) -> set[str]:
    """The logs of the jobs of a run."""
    return {
        f"{run}/seed{seed}/{'' if stage == 'pretrain' else 'epoch0001/'}{stage}"
        for seed in seeds
        for stage in stages
    }


SUMMARY = {"summarize", "figures/spectra", "report"}
MEASURES = ("represent-train", "represent-val", "knn", "collapse", "probe")
ALL = ("pretrain", "export_checkpoint", *MEASURES)


@pytest.mark.thorough
def test_an_experiment_through_its_edits(tmp_path: Path):
    config = BASE
    computed, taken = ran(tmp_path, config)
    assert len(computed) == 6 + 3 * len(ALL) + 3 and not taken  # orderings of two seeds

    other = edited(config, "figures.spectra.title", "Other words")
    assert ran(tmp_path, other) == ({"figures/spectra", "report"}, set())
    assert ran(tmp_path, config) == (set(), {"figures/spectra", "report"})

    assert ran(tmp_path, edited(config, "runs.iid.seeds", [0])) == (SUMMARY, set())
    shutil.rmtree(tmp_path / "results/runs/iid/seed1")
    assert ran(tmp_path, config) == (set(), {*of_run("iid", *ALL, seeds=(1,)), *SUMMARY})

    # 49.9 % of 40 images are 20, too. A checkpoint holds its recipe, an encoder its weights alone.
    config = edited(config, "runs.part.share", 49.9)
    computed = of_run("part", "pretrain", "export_checkpoint") | SUMMARY
    assert ran(tmp_path, config) == (computed, of_run("part", *MEASURES))

    # Representations hold the name of their run, and what is measured on them follows.
    config = renamed(config, "runs", "part", "half")
    shutil.rmtree(tmp_path / "results/runs/part")
    taken = of_run("half", "pretrain", "export_checkpoint", "probe")
    assert ran(tmp_path, config) == (of_run("half", *MEASURES) - taken | SUMMARY, taken)

    # Packed images hold the name of their dataset, and nobody who reads them writes it.
    config = renamed(config, "datasets", "textures", "patterns")
    config = edited(config, "defaults.dataset", "patterns")
    computed = {f"patterns/{stage}" for stage in ("dataset", "pack-train", "pack-val")} | SUMMARY
    taken = {f"patterns/{stage}" for stage in ("textures", "ordering-seed0", "ordering-seed1")}
    taken |= of_run("iid", *ALL, seeds=(0, 1)) | of_run("half", *ALL)
    assert ran(tmp_path, config) == (computed, taken)

    # To another config, with results of its own: what can differ is the table alone.
    moved = experiment(
        runs={"same": {"seeds": [1]}},
        figures={"spectra": {"kind": "spectra", "runs": ["same"]}},
        results="second",
        runtime={"store": "results/store"},
    )
    computed, taken = ran(tmp_path, moved)
    assert taken >= of_run("same", "pretrain", "export_checkpoint", seeds=(1,))
    assert not {name for name in computed if "pretrain" in name}

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    ran(fresh, {**config, "runtime": {"store": False}})
    assert not (fresh / "results/store").exists()
    shutil.rmtree(tmp_path / "results/data/textures")
    found = contents(tmp_path / "results")
    assert not differences(found, contents(fresh / "results"))
