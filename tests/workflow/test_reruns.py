"""Each rule reruns exactly when its inputs change: edits, and every job that each must cause.

Snakemake itself says what it would run after each edit, in a copy of a finished experiment.
"""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from edits_of_config import CONFIG_EDITS, Edit
from edits_of_files import FILE_EDITS
from finished_experiment import Experiment, finished_experiment
from snakemake_runs import Server

from ssl_collapse.config.backbones import small_resnet, torchvision_resnet
from ssl_collapse.config.dataset import ImageFolderSource, TexturesSource
from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec, ProbeSpec, ViewsSpec
from ssl_collapse.config.experiment import (
    DatasetConfig,
    EvaluationConfig,
    RunConfig,
    RuntimeConfig,
    StartConfig,
)
from ssl_collapse.config.figures import SchedulesFigure, SharesFigure, SpectraFigure
from ssl_collapse.config.methods import simsiam
from ssl_collapse.config.pretrain import Augmentation

EDITS = [*CONFIG_EDITS, *FILE_EDITS]
# One of each kind: `make test` tries these, `make test-all` all.
SAMPLE = {
    "the title",
    "runs.iid.base_lr",
    "an epoch more to analyse (not trained again)",
    "a renamed run",
    "evaluation.knn.temperature",
    "keys in another order",
    "deleted: everything of a run",
    "edited: a result, its size and date kept",
    "every file touched",
    "runs in another order (of the table)",
    "images: copied to another folder",
    "images: one relabelled",
    "a new version",
    "a changed measure",
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    with Server() as snakemake:
        yield finished_experiment(tmp_path_factory.mktemp("reruns") / "finished", snakemake)


def jobs_after(edit: Edit, finished: Experiment, folder: Path) -> frozenset[str]:
    experiment = finished.copy(folder)
    edit.apply(experiment)
    jobs = experiment.would_run()
    shutil.rmtree(folder)
    return jobs


@pytest.fixture(scope="session")
def answers(
    finished: Experiment, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, "Future[frozenset[str]]"]]:
    """What Snakemake says after every edit that a test needs, asked ahead of the tests."""
    folder = tmp_path_factory.mktemp("edited")
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    edits = [p.params["edit"] for p in parameters if p and "edit" in p.params]
    with ThreadPoolExecutor(2) as pool:
        yield {
            edit.name: pool.submit(jobs_after, edit, finished, folder / str(i))
            for i, edit in enumerate(edits)
        }


ALL_OR_SAMPLE = [
    pytest.param(edit, id=edit.name, marks=() if edit.name in SAMPLE else pytest.mark.thorough)
    for edit in EDITS
]


@pytest.mark.parametrize("edit", ALL_OR_SAMPLE)
def test_the_jobs_that_an_edit_causes(edit: Edit, answers: dict[str, "Future[frozenset[str]]"]):
    expected = edit.jobs() if callable(edit.jobs) else edit.jobs
    jobs = answers[edit.name].result()
    assert sorted(jobs - expected) == [], "these run without need"
    assert sorted(expected - jobs) == [], "these must run and do not"


def test_every_edit_has_a_name_of_its_own():
    names = [edit.name for edit in EDITS]
    assert len(set(names)) == len(names) >= 60
    assert set(names) >= SAMPLE


# Every model of the config, and where its keys stand; the name of a run or figure is left out.
MODELS = {
    "runs": [RunConfig],
    "runs.augmentation": [Augmentation],
    "runs.backbone": [small_resnet.Config, torchvision_resnet.Config],
    "runs.method": [simsiam.Config],
    "runs.start": [StartConfig],
    "datasets": [DatasetConfig],
    "datasets.source": [TexturesSource, ImageFolderSource],
    "evaluation": [EvaluationConfig],
    "evaluation.collapse": [CollapseSpec],
    "evaluation.knn": [KnnSpec],
    "evaluation.probe": [ProbeSpec],
    "evaluation.views": [ViewsSpec],
    "figures": [SpectraFigure, SharesFigure, SchedulesFigure],
    "runtime": [RuntimeConfig],
}


def test_every_key_of_the_config_is_edited():
    keys = {
        f"{place}.{key}"
        for place, models in MODELS.items()
        for model in models
        for key in model.model_fields
    }
    named = {re.sub(r"^(runs|datasets|figures)\.[^.]+", r"\1", k) for e in EDITS for k in e.keys}
    edited = {key.replace("defaults.", "runs.") for key in named}
    parents = {key.rpartition(".")[0] for key in keys}  # edited by their own keys
    # Refused before planning where their packages are not installed; otherwise as `tensorboard`.
    refused = {"runtime.mlflow", "runtime.wandb"}
    assert sorted(keys - edited - parents - refused) == []
