"""What can only be a slip, or is not on this machine: worth a line, and no reason to stop."""

import os
from collections.abc import Iterator
from pathlib import Path

from ssl_collapse.config.dataset import ImageSource
from ssl_collapse.config.experiment import Experiment, RunConfig, RuntimeConfig
from ssl_collapse.config.reading.messages import Problem
from ssl_collapse.runtime.gpus import gpu_numbers
from ssl_collapse.views.schedule import steps_per_epoch


def cautions(
    experiment: Experiment, cores: int | None = None, gpus: int | None = None
) -> Iterator[Problem]:
    """What to warn of before jobs are planned, each with its key.

    cores, gpus: what the machine has; by default, what this one has.
    """
    cores = cores or os.cpu_count() or 1
    gpus = len(gpu_numbers()) if gpus is None else gpus
    for name, run in experiment.runs.items():
        yield from _of_run(name, run, _steps(experiment, run))
    for name, dataset in experiment.datasets.items():
        if dataset.source.users_own:
            yield from _of_folders(name, dataset.source)
    yield from _of_machine(experiment.runtime, cores, gpus)


def _steps(experiment: Experiment, run: RunConfig) -> int | None:
    """Steps per epoch, where they are known before the images are counted."""
    images = experiment.datasets[run.dataset].known_train_images()
    return run.steps_per_epoch if images is None else steps_per_epoch(run, images)


def _of_run(name: str, run: RunConfig, steps: int | None) -> Iterator[Problem]:
    if run.checkpoint_every > run.epochs:
        text = f"{run.checkpoint_every} exceeds epochs {run.epochs}: the last epoch alone has one"
        yield Problem(("runs", name, "checkpoint_every"), text)
    if steps is not None and run.n_warmup_steps >= steps and run.epochs > 1:
        text = f"{run.n_warmup_steps} of {steps} steps: the encoder learns in the first epoch only"
        yield Problem(("runs", name, "n_warmup_steps"), text)


def _of_folders(name: str, source: ImageSource) -> Iterator[Problem]:
    path = ("datasets", name, "source")
    written = source.folders("")
    folders = {key: Path(text) for key, text in written.items()}
    missing = [key for key, folder in folders.items() if not folder.is_dir()]
    for key in missing:
        what = "is no folder" if folders[key].exists() else "does not exist"
        text = f"{written[key]} {what} on this machine; {source.way_out()}"
        yield Problem((*path, key), text)
    if len(folders) == 2 and not missing and folders["train"].samefile(folders["val"]):
        text = f"{written['val']} is the same folder as `train`: accuracies will mean nothing"
        yield Problem((*path, "val"), text)


def _of_machine(runtime: RuntimeConfig, cores: int, gpus: int) -> Iterator[Problem]:
    there = "right only where the jobs run elsewhere"
    for key in ("threads", "workers"):
        if getattr(runtime, key) > cores:
            text = f"{getattr(runtime, key)}, and this machine has {cores} cores; {there}"
            yield Problem(("runtime", key), text)
    if runtime.gpus > max(gpus, 1):
        text = f"{runtime.gpus}, and this machine has {gpus} GPUs; {there}"
        yield Problem(("runtime", "gpus"), text)
