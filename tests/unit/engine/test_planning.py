"""What is refused, and said, before jobs are planned."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.resources import Resource
from toy import experiment

from engine.planning import allow_gpus, checked_file, refuse_unknown_targets, refuse_unwritable
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.results import Results
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError

RESULTS = Results(Plan(load_experiment(experiment())))
RUN = "results/runs/iid/seed0"


def ask(*targets: str) -> None:
    rules = [SimpleNamespace(name=name) for name in ("all", "pretrain", "report")]
    settings = SimpleNamespace(targets=targets)
    refuse_unknown_targets(SimpleNamespace(rules=rules, dag_settings=settings), RESULTS)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        (f"{RUN}/epoch00001/knn.json", f"{RUN}/epoch0001/knn.json"),
        (f"{RUN}/epoch1/knn.json", f"{RUN}/epoch0001/knn.json"),
        ("results/runs/iid/seed00/training.csv", f"{RUN}/training.csv"),
        ("results/runs/idi/seed0/training.csv", f"{RUN}/training.csv"),
        ("results/figures/spectre.pdf", "results/figures/spectra.pdf"),
        ("results/report.htm", "results/report.html"),
        ("pretrian", "pretrain"),
    ],
)
def test_a_target_that_is_nearly_one(target: str, meant: str):
    with pytest.raises(UserError) as error:
        ask("all", target)
    assert str(error.value) == (
        f"{target}: nothing of this experiment is called so; did you mean {meant}?"
    )


@pytest.mark.parametrize("target", [f"{RUN}/epoch0001/probe.json", f"{RUN}/speed.csv", "nope.pdf"])
def test_a_target_that_is_like_none(target: str):
    with pytest.raises(UserError, match=f"{target}: nothing of this experiment is called so"):
        ask(target)


def test_results_of_another_experiment_are_no_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("results/runs/other/training.csv", "notes.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    with pytest.raises(UserError, match=r"other/training\.csv: nothing"):
        ask("results/runs/other/training.csv")
    ask("notes.txt")  # Snakemake says what it can do about a file that is not of ours


def test_every_result_is_a_target_however_it_is_written():
    ask()
    ask("all", *RESULTS.everything(), "results/data/textures/images", f"./{RUN}//training.csv")


def test_results_go_into_a_folder_that_is_there_or_can_be_made(tmp_path: Path):
    refuse_unwritable(tmp_path, dry=False)
    refuse_unwritable(tmp_path / "not/yet", dry=False)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file/results"):
        with pytest.raises(UserError, match="file: is no folder, and results are to lie in"):
            refuse_unwritable(folder, dry=True)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UserError, match="link: is no folder"):
        refuse_unwritable(tmp_path / "link", dry=False)


def test_a_folder_that_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != tmp_path)
    with pytest.raises(UserError, match="cannot be written to"):
        refuse_unwritable(tmp_path / "results", dry=False)
    refuse_unwritable(tmp_path / "results", dry=True)


def test_a_config_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "config.yaml").write_text("a: [\n")
    with pytest.raises(SystemExit) as end:
        checked_file(str(tmp_path / "config.yaml"))
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}/config.yaml: line ")


@pytest.mark.parametrize(
    ("limit", "count", "after"),
    [(1, 2, 2), (4, 2, 4), (None, 2, None)],  # None: no limit
)
def test_a_training_may_have_all_its_gpus(limit: int | None, count: int, after: int | None):
    limits = {} if limit is None else {"gpu": Resource("gpu", limit)}
    allow_gpus(SimpleNamespace(global_resources=limits), count)
    assert (limits["gpu"].value if limits else None) == after
