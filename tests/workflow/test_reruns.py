"""Each rule reruns exactly when its inputs change: edits, and every job that each must cause.

Snakemake itself says what it would run after an edit, in a copy of a finished experiment. Of edits
that change no more than what jobs are given, this is compared here, and what follows by hand.
"""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from edits_of_config import CONFIG_EDITS, Edit
from edits_of_files import FILE_EDITS
from expected_jobs import ALL
from finished_experiment import CONFIG, Experiment, finished_experiment
from snakemake.iocontainers import Namedlist
from snakemake_runs import ROOT, Server

from engine.stage import Stages
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
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan

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


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(edit, id=edit.name, marks=() if edit.name in SAMPLE else pytest.mark.thorough)
        for edit in EDITS
        if edit.name in SAMPLE or not edit.keeps_jobs
    ],
)
def test_the_jobs_that_an_edit_causes(edit: Edit, answers: dict[str, "Future[frozenset[str]]"]):
    jobs = answers[edit.name].result()
    assert sorted(jobs - edit.jobs) == [], "these run without need"
    assert sorted(edit.jobs - jobs) == [], "these must run and do not"


RULES = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
ASKED = {  # stage -> the wildcards by which its rule asks for its spec
    stage: re.findall(r"\w+", names)
    for stage, names in re.findall(r'STAGES\.spec\("(\w+)"(.*?)\)', RULES)
}


@dataclass
class Draft:
    """A config that is edited, and nothing made of it."""

    config: dict[str, Any]

    def write_config(self, config: dict[str, Any]) -> None:
        self.config = config

    def given(self) -> dict[str, object]:
        """What each job of the unedited plan is given: its spec, and modules of its code."""
        stages = Stages(Plan(load_experiment(self.config)), ROOT, "", "", lambda: True)
        return {
            job: (stages.spec(stage, *ASKED[stage])(wildcards), stages.plugins(stage, wildcards))
            for job in ALL.above
            for stage, wildcards in [taken_apart(job)]
        }


def taken_apart(job: str) -> tuple[str, Namedlist]:
    """Its stage and wildcards: "pretrain iid/seed0", "probe iid/seed0/epoch0004/probe"."""
    stage, _, rest = job.partition(" ")
    first, last = rest.split("/")[0], rest.split("/")[-1]
    numbers = dict(re.findall(r"(seed|epoch)(\d+)", rest))
    names = {"dataset": first, "run": first, "figure": first, "probe": last, "layer": ""}
    return stage, Namedlist(fromdict={**names, **numbers})


@pytest.fixture(scope="module")
def before() -> dict[str, object]:
    return Draft(yaml.safe_load(CONFIG.read_text())).given()


@pytest.mark.parametrize("small", [e for e in EDITS if e.keeps_jobs], ids=lambda edit: edit.name)
def test_the_jobs_that_are_given_something_else(small: Edit, before: dict[str, object]):
    draft = Draft(yaml.safe_load(CONFIG.read_text()))
    small.apply(draft)
    after = draft.given()
    assert ALL.below(*(job for job in ALL.above if before[job] != after[job])) == small.jobs


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
