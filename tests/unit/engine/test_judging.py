"""What planning says of trainings of another recipe, whether or not Snakemake asks about them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from toy import experiment

from engine.judging import Judge
from engine.stage import Stages
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.provenance.sidecar import Sidecar, path_of

LIBRARY = Path(__file__).parents[3] / "workflow"
PLAN = Plan(load_experiment(experiment(defaults={"seeds": [0, 1]})))


def begin(said: pytest.CaptureFixture[str], **base_lr: float) -> str:
    """What a plan's beginning says where each seed was trained with this learning rate."""
    stages = Stages(PLAN, LIBRARY, "out", "python", lambda: True)
    stages.spec("pretrain", "run", "seed")
    jobs = []
    for i, (seed, value) in enumerate(base_lr.items()):
        training = Path(f"out/runs/iid/{seed}/training.csv")
        training.parent.mkdir(parents=True)
        training.touch()
        spec = canonical({**PLAN.pretrain("iid", i), "base_lr": value})
        digests = {"code": "", "modules": {}, "inputs": {}, "bytes": 0, "sha256": ""}
        sidecar = Sidecar(rule="pretrain", spec=spec, **digests)
        path_of(training).write_text(sidecar.model_dump_json())
        wildcards = {"run": "iid", "seed": str(i)}
        output = SimpleNamespace(training=str(training))
        jobs.append(SimpleNamespace(rule="r", wildcards=wildcards, output=output))
    judge = Judge(stages, {"r": "pretrain"}, lambda: True)
    judge.begin(SimpleNamespace(jobs=jobs))
    judge.begin(SimpleNamespace(jobs=jobs))  # Snakemake asks often; it is said once
    return said.readouterr().err


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_trainings_of_another_recipe(capsys: pytest.CaptureFixture[str]):
    assert begin(capsys, seed0=0.1, seed1=0.1) == (
        "2 trainings are there with another recipe and will be made again, e.g. runs/iid/seed0: "
        "base_lr 0.1 -> 0.05; `results: FOLDER` in the config keeps both\n"
    )


def test_one_of_two(capsys: pytest.CaptureFixture[str]):
    assert begin(capsys, seed0=0.05, seed1=0.2).startswith(
        "1 training is there with another recipe and will be made again, e.g. runs/iid/seed1: "
    )


def test_nothing_is_said_of_the_same_recipe(capsys: pytest.CaptureFixture[str]):
    assert begin(capsys, seed0=0.05, seed1=0.05) == ""
