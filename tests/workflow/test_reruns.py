"""Each rule reruns exactly when its inputs change: edits, and every job that each must cause.

Snakemake itself says what it would run after each edit, in a copy of a finished experiment.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from edits_of_config import CONFIG_EDITS, Edit
from expected_jobs import ALL
from finished_experiment import Experiment, Snakemake, finished_experiment

EDITS = [*CONFIG_EDITS, *FILE_EDITS]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    snakemake = Snakemake()
    yield finished_experiment(tmp_path_factory.mktemp("reruns") / "finished", snakemake)
    snakemake.stop()


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


@pytest.mark.parametrize("edit", EDITS, ids=[edit.name for edit in EDITS])
def test_the_jobs_that_an_edit_causes(edit: Edit, answers: dict[str, "Future[frozenset[str]]"]):
    expected = edit.jobs() if callable(edit.jobs) else edit.jobs
    jobs = answers[edit.name].result()
    assert sorted(jobs - expected) == [], "these run without need"
    assert sorted(expected - jobs) == [], "these must run and do not"


def test_every_edit_has_a_name_of_its_own():
    names = [edit.name for edit in EDITS]
    assert len(set(names)) == len(names) >= 60


def test_every_key_of_the_config_is_edited():
    edited = {re.sub(r"^(runs|datasets|figures)\.\w+\.", r"\1.", key) for e in EDITS for key in e.keys}
    assert sorted(set(keys()) - edited) == []


def keys() -> Iterator[str]:
    """Every key that a config may have, by its models."""
    yield from ("title", "description")
    for key in RunConfig.model_fields:
        nested = {
            "augmentation": [Augmentation],
            "backbone": [small_resnet.Config, torchvision_resnet.Config],
            "method": [simsiam.Config],
            "start": [StartConfig],
        }.get(key, [])
        yield from (f"runs.{key}.{inner}" for model in nested for inner in model.model_fields)
        if not nested:
            yield f"runs.{key}"
