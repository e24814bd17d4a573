"""One tidy table of every run, seed and evaluated epoch: what the figures and the report read."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ssl_collapse.config.paths import INSIDE, PROJECTOR, fill
from ssl_collapse.config.summary import SummaryRow
from ssl_collapse.evaluation.accuracies import KNN
from ssl_collapse.evaluation.measures.registry import PROJECTOR_PREFIX
from ssl_collapse.evaluation.result_format import check_format
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.shares import share
from ssl_collapse.views.schedule import steps_per_epoch

# What a recipe says of a run, in the order of the columns
OF_RECIPE = (
    *("method", "arch", "schedule", "share", "start_run", "start_epoch"),
    *("train_images", "epochs", "steps", "batch_size"),
)
NO_MEASURE = ("format_version",)  # numbers of a result that say nothing of the encoder


def summarize(rows: Sequence[SummaryRow], results: Path) -> pd.DataFrame:
    """The table of tables/summary.csv, one row per entry of `rows` and in their order.

    results: the folder of all results. Columns: the plan's (`_plan_columns`); `loss`, the training
    loss of that epoch (none of epoch 0, before training); every number at the top level of
    collapse.json, and of view-measures.json where it was asked for, under its own name; the k-NN
    columns (`knn_columns`); all these of the projector's layer as `projector_*`; those of
    probe.json as `probe_*` and of probe-cached.json as `probe_cached_*`; `chance`, one over the
    number of classes; `failure`, what went wrong in training or with the representations, and
    `diverged`, whether anything did: then the measures are empty, but their columns are there. A
    cell is empty where there is no such number. Raises UserError for a file that is missing or
    damaged, and for an epoch that training.csv lacks.
    """
    datasets = {
        name: read_json(results / fill(INSIDE.description, dataset=name))
        for name in dict.fromkeys(n for row in rows for n in (row.dataset, _measured(row)) if n)
    }
    training = {
        path: read_losses(results / path)
        for path in dict.fromkeys(row.path(INSIDE.training) for row in rows if row.recipe)
    }
    table = pd.DataFrame(
        [_record(row, results, datasets, training.get(row.path(INSIDE.training))) for row in rows]
    )
    # Rows may differ in their measures: what every row has comes last, in one place.
    last = [str(name) for name in table if str(name).startswith(("knn_", "probe_"))]
    last += ["chance", "failure", "diverged"]
    table = table[[name for name in table if name not in last] + last]
    # whole numbers, where they are not missing
    whole = {"start_epoch", "train_images", "epochs", "steps", "batch_size"}
    oracles = {f"{one.column}_k" for one in KNN if not one.k}
    whole |= oracles | {f"{PROJECTOR_PREFIX}{name}" for name in oracles}
    return table.astype({name: "Int64" for name in sorted(whole) if name in table})


def _record(
    row: SummaryRow,
    results: Path,
    datasets: Mapping[str, Mapping[str, Any]],
    losses: Mapping[int, float] | None,
) -> dict[str, Any]:
    plan = _plan_columns(row, datasets)
    loss = None if losses is None else _loss(row, losses, results)
    layers = {"": "", **({PROJECTOR_PREFIX: PROJECTOR} if row.projector else {})}
    patterns = [INSIDE.collapse, *([INSIDE.view_measures] if row.views else [])]
    contents_of = {
        prefix: [read_json(results / row.path(pattern, layer=layer)) for pattern in patterns]
        for prefix, layer in layers.items()
    }
    knn = read_json(results / row.path(INSIDE.knn)) if row.knn else {}
    probes = [n for n, there in (("probe", row.probe), ("probe-cached", row.probe_cached)) if there]
    probed = {
        name.replace("-", "_"): read_json(results / row.path(INSIDE.probe, probe=name))
        for name in probes
    }
    record = {**plan, "loss": loss}
    for prefix, contents in contents_of.items():
        for content in contents:
            numbers = {f"{prefix}{name}": v for name, v in _measures(content).items()}
            record |= {name: v for name, v in numbers.items() if name not in plan}
    for prefix, layer in layers.items():
        path = results / row.path(INSIDE.knn, layer=layer) if row.knn else None
        columns = knn_columns(path).items()
        record |= {f"{prefix}{name}": v for name, v in columns}
    for prefix, probe in probed.items():
        record |= {f"{prefix}_{name}": v for name, v in _measures(probe).items()}
    # a projector that has collapsed does not make its backbone a failed one
    failure = _failure(loss, *contents_of[""], knn, *probed.values())
    measured = datasets.get(_measured(row) or "")
    classes = len(measured["classes"]) if measured else _classes_of(knn)
    chance = 1 / classes if classes else None
    return {**record, "chance": chance, "failure": failure, "diverged": failure is not None}


def _measured(row: SummaryRow) -> str | None:
    return row.evaluated_on or row.dataset


def _classes_of(knn: Mapping[str, Any]) -> int | None:
    """How many classes files have, which are of no dataset."""
    classes: int | None = knn.get("protocol", {}).get("num_classes")
    return classes


def _measures(content: Mapping[str, Any]) -> dict[str, float]:
    """The numbers at the top level; of a failed encoder also the measures that it has not."""
    failed = content.get("diverged") is True
    return {
        name: math.nan if value is None else value
        for name, value in content.items()
        if name not in NO_MEASURE and (_is_number(value) or (failed and value is None))
    }


def _failure(loss: float | None, *contents: Mapping[str, Any]) -> str | None:
    for content in contents:
        if content.get("diverged") is True:
            return str(content.get("failure", "diverged"))
    return None if loss is None or math.isfinite(loss) else f"the loss is {loss}"


def _plan_columns(row: SummaryRow, datasets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the recipe says of a run: `share` in percent of the dataset, as it was configured.
    Of files, which have no recipe, their `share` alone.

    `share` is what the run's own epochs show (of a hybrid, those after its start); `steps` counts
    optimisation steps to the end of the run (of a hybrid, with those before its start).
    """
    recipe = row.recipe
    head = {name: getattr(row, name) for name in ("run", "seed", "epoch", "final", "dataset")}
    if recipe is None or row.dataset is None:
        return {**head, **dict.fromkeys(OF_RECIPE), "share": row.share}
    train_images = _train_images(row.dataset, datasets[row.dataset])
    return {
        **head,
        **({"evaluated_on": row.evaluated_on} if row.evaluated_on else {}),
        "method": recipe.method.name,
        "arch": recipe.backbone.arch,
        "schedule": recipe.schedule,
        "share": share(recipe, row.start_epoch or 0),
        "start_run": row.start_run,
        "start_epoch": row.start_epoch,
        "train_images": train_images,
        "epochs": recipe.epochs,
        "steps": recipe.epochs * steps_per_epoch(recipe, train_images),
        "batch_size": recipe.batch_size,
    }


def _train_images(name: str, dataset: Mapping[str, Any]) -> int:
    try:
        images = int(dataset["splits"]["train"]["images"])
        if images < 1 or not dataset["classes"]:
            raise ValueError("no images or no classes")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"dataset.json of {name!r} is not a dataset's ({error!r}); build the dataset again"
        ) from None
    return images


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _loss(row: SummaryRow, losses: Mapping[int, float], results: Path) -> float | None:
    if row.epoch == 0:  # the network before training
        return None
    if row.epoch not in losses:
        raise UserError(
            f"{results / row.path(INSIDE.training)}: no row of epoch {row.epoch}, which was "
            "analysed; train the run again"
        )
    return losses[row.epoch]


def knn_columns(path: Path | None) -> dict[str, float | int | None]:
    """The k-NN columns of one knn.json; None for what was not measured or exceeds k_max.
    Without a file, all None.

    Those of `accuracies.KNN`, and beside the oracle's accuracy its k. Accuracies are fractions.
    """
    content = read_json(path) if path else {"results": {}}
    columns: dict[str, float | int | None] = {}
    try:
        for one in KNN:
            votes = content["results"].get(one.metric, {})
            vote = votes.get(one.vote, {"fixed_k": {}, "oracle": {}})
            if one.k:
                columns[one.column] = vote["fixed_k"].get(str(one.k))
            else:
                columns[one.column] = vote["oracle"].get("accuracy")
                columns[f"{one.column}_k"] = vote["oracle"].get("k")
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a knn.json ({error!r}); classify that epoch again") from None
    return columns


def read_losses(path: Path) -> dict[int, float]:
    """The training loss of every epoch in a training.csv; UserError if it is not one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if not {"epoch", "loss"} <= set(rows.fieldnames or ()):
                raise ValueError("the first line names others")
            return {int(row["epoch"]): float(row["loss"]) for row in rows}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; train the run first") from None
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path}: not a training.csv with columns epoch and loss ({error!r}); train again"
        ) from None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; UserError names a file that is missing, damaged or no object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; evaluate that epoch first") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON
        raise UserError(f"{path}: not a JSON file ({error}); evaluate that epoch again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: a JSON object is expected; evaluate that epoch again")
    check_format(path, content)
    return content
