"""What each stage reads, where the config decides."""

from pathlib import Path
from typing import Any

import pytest
from snakemake.iocontainers import Namedlist
from toy import experiment

from engine.inputs import Inputs
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.results import Results
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError

EPOCH = {"run": "iid", "seed": "0", "epoch": "0001"}
AT = "out/runs/iid/seed0/epoch0001"


def wildcards(**values: str) -> Namedlist:
    return Namedlist(fromdict=values)


def inputs(**sections: Any) -> Inputs:
    return Inputs(Results(Plan(load_experiment(experiment(results="out", **sections)))))


@pytest.mark.parametrize(
    ("probe", "name", "mode"),
    [
        ({"mode": "full"}, "probe", "full"),
        ({"mode": "cached"}, "probe", "cached"),
        ({"cached": {}, "full": {}}, "probe", "full"),
        ({"cached": {}, "full": {}}, "probe-cached", "cached"),
    ],
)
def test_a_probe_reads_representations_or_the_encoder_and_images(probe: Any, name: str, mode: str):
    read = inputs(evaluation={"probe": probe}).probed(wildcards(**EPOCH, probe=name))
    files = [f"{AT}/representations-{split}.h5" for split in ("train", "val")]
    assert read["representations"] == (files if mode == "cached" else [])
    assert read["encoder"] == (f"{AT}/encoder.safetensors" if mode == "full" else [])
    assert read["train"] == ("out/data/textures/train.h5" if mode == "full" else [])


def test_the_table_is_made_from_every_measurement():
    made_from = inputs(evaluation={"probe": {"cached": {}, "full": {}}}).summarized()
    names = ("collapse", "knn", "probe", "probe-cached")
    assert made_from == [
        *(f"{AT}/{name}.json" for name in names),
        "out/runs/iid/seed0/training.csv",
        "out/data/textures/dataset.json",
    ]


def test_a_hybrid_starts_from_the_checkpoints_of_the_same_seed():
    runs = {"iid": {"seeds": [0, 3], "epochs": 2}}
    runs["hybrid"] = {"start": {"run": "iid", "epoch": 1}, "seeds": [3], "epochs": 2}
    read = inputs(runs=runs)
    assert read.start(wildcards(run="iid", seed="3")) == []
    assert read.start(wildcards(run="hybrid", seed="3")) == "out/runs/iid/seed3/checkpoints"


@pytest.mark.parametrize(("seed", "taken"), [(None, 3), (0, 0)])
def test_a_student_reads_the_encoder_of_its_teacher(seed: int | None, taken: int):
    runs: dict[str, Any] = {"iid": {"seeds": [0, 3], "epochs": 2}}
    teacher = {"run": "iid", "epoch": 1, "seed": seed}
    runs["student"] = {"method": {"name": "distillation", "teacher": teacher}, "seeds": [3]}
    read = inputs(runs=runs)
    assert read.teacher(wildcards(run="iid", seed="3")) == []
    found = read.teacher(wildcards(run="student", seed="3"))
    assert found == f"out/runs/iid/seed{taken}/epoch0001/encoder.safetensors"


def test_a_teacher_may_be_somebody_elses_checkpoint(tmp_path: Path):
    (tmp_path / "theirs_epoch40.pt").touch()

    def student(epoch: int) -> Inputs:
        method = {"name": "distillation", "teacher": {"run": "theirs", "epoch": epoch}}
        runs = {
            "theirs": {"checkpoint": str(tmp_path / "theirs_epoch40.pt")},
            "student": {"method": method, "seeds": [3]},
        }
        return inputs(runs=runs, figures={}, defaults={"dataset": "textures"})

    found = student(40).teacher(wildcards(run="student", seed="3"))
    assert found == "out/runs/theirs/seed0/epoch0040/encoder.safetensors"
    with pytest.raises(UserError, match="epoch: 39: `theirs` has checkpoints of 0, 40"):
        student(39)


def test_only_generated_images_are_an_input():
    assert inputs().images(wildcards(dataset="textures")) == ["out/data/textures/images"]
    source = {"kind": "imagefolder", "train": "/t", "val": "/v"}
    own = inputs(datasets={"textures": {"source": source}})
    assert own.images(wildcards(dataset="textures")) == []


def test_spectra_are_those_that_a_figure_draws():
    assert inputs().spectra(wildcards(figure="spectra")) == [f"{AT}/spectrum.csv"]
    assert inputs().figures("png") == ["out/figures/spectra.png"]
