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

EDITS = [*CONFIG_EDITS]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    snakemake = Snakemake()
    yield finished_experiment(tmp_path_factory.mktemp("reruns") / "finished", snakemake)
    snakemake.stop()


def after(edit: Edit, finished: Experiment, folder: Path) -> frozenset[str]:
    experiment = finished.copy(folder)
    edit.apply(experiment)
    jobs = experiment.would_run()
    shutil.rmtree(folder)
    return jobs


@pytest.fixture(scope="session")
def answers(finished, tmp_path_factory: pytest.TempPathFactory, request):
    """What Snakemake says after each edit that a test asks for; it is asked ahead of them."""
    edits = [item.callspec.params["edit"] for item in request.session.items if "edit" in getattr(getattr(item, "callspec", None), "params", ())]
    root = tmp_path_factory.mktemp("edited")
    with ThreadPoolExecutor(2) as pool:
        yield {e.name: pool.submit(after, e, finished, root / str(i)) for i, e in enumerate(edits)}


@pytest.mark.parametrize("edit", EDITS, ids=[edit.name for edit in EDITS])
def test_the_jobs_that_an_edit_causes(edit: Edit, answers: dict[str, "Future[frozenset[str]]"]):
    jobs = answers[edit.name].result()
    assert sorted(jobs - edit.jobs) == [], "run without need"
    assert sorted(edit.jobs - jobs) == [], "must run"
