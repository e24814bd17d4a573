"""TensorBoard, MLflow and Weights & Biases: each is imported only where the config sets it."""

import argparse
import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.following import Tracker

# Name of the key of `runtime`, and of the option -> the package that it takes
PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that `open_trackers` reads."""
    parser.add_argument("--tensorboard", metavar="DIR", help="folder for TensorBoard event files")
    parser.add_argument("--mlflow", metavar="URI", help="where MLflow keeps its runs")
    parser.add_argument("--wandb", metavar="PROJECT", help="project of Weights & Biases")


def asked_for(settings: Any) -> dict[str, str]:
    """Which trackers are set, with where each keeps its curves."""
    return {name: getattr(settings, name) for name in PACKAGES if getattr(settings, name)}


def require_packages(settings: Any) -> None:
    """UserError where a tracker is set and its package is not installed."""
    for name in asked_for(settings):
        package = PACKAGES[name]
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"runtime.{name}: the package {package} is not installed in this Python; "
                f"`pip install {package}`, or leave the key out"
            )


def open_trackers(args: argparse.Namespace, run: str, identity: str) -> dict[str, Tracker]:
    """The trackers that a command line asks for, by name.

    run: name and seed. identity: of the training, by which one that goes on is known again.
    UserError for one whose package is missing, or that does not open.
    """
    require_packages(args)
    opened: dict[str, Tracker] = {}
    for name, kind in (("tensorboard", TensorBoard), ("mlflow", Mlflow), ("wandb", Wandb)):
        if target := getattr(args, name):
            try:
                opened[name] = kind(target, run, identity)
            except Exception as error:
                raise UserError(f"runtime.{name}: {target}: cannot be opened: {error}") from error
    return opened


class TensorBoard:
    """Event files in a folder for each run and seed; step: optimisation steps."""

    def __init__(self, target: str, run: str, identity: str) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(Path(target).expanduser() / run))

    def note(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Mlflow:
    """A run of MLflow in the experiment `ssl-collapse`; one that goes on is found by its tag."""

    def __init__(self, target: str, run: str, identity: str) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=target)
        name, training = "ssl-collapse", f"{run} {identity}"
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        runs = self._client.search_runs([experiment], f"tags.training = '{training}'")
        if not runs:
            tags = {"training": training}
            runs = [self._client.create_run(experiment, run_name=run, tags=tags)]
        self._id = runs[0].info.run_id
        self._client.update_run(self._id, status="RUNNING")

    def note(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if math.isfinite(value):  # databases take no NaN
                self._client.log_metric(self._id, name, value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._id)


class Wandb:
    """A run of Weights & Biases; one that goes on has the same id."""

    def __init__(self, target: str, run: str, identity: str) -> None:
        import wandb

        run_id = f"{run.replace('/', '-')}-{identity}"
        silent = wandb.Settings(silent=True)
        self._run = wandb.init(project=target, name=run, id=run_id, resume="allow", settings=silent)

    def note(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()
