"""Where each result lies: every path once, as a pattern with the wildcards of its rule."""

from typing import Any

from ssl_collapse.config.summary import EPOCH_FOLDER, TRAINING_FOLDER


class Paths:
    """The patterns of all results under one folder; `{epoch}` is written with four digits.

    `{run}` and `{seed}` name one training, `{split}` is train or val,
    `{probe}` is probe or probe-cached, `{layer}` nothing for the backbone, projector/ for that.
    """

    def __init__(self, root: str = "results") -> None:
        self.root = root
        dataset = f"{root}/data/{{dataset}}"
        self.images = f"{dataset}/images"
        self.description = f"{dataset}/dataset.json"
        self.inventory = f"{dataset}/inventory.json"
        self.packed = f"{dataset}/{{split}}.h5"
        self.ordering = f"{dataset}/ordering-seed{{seed}}.npy"

        training = f"{root}/{TRAINING_FOLDER}"
        self.training = f"{training}/training.csv"
        self.checkpoints = f"{training}/checkpoints"

        self.epoch = f"{root}/{EPOCH_FOLDER}"
        self.encoder = f"{self.epoch}/encoder.safetensors"
        self.projector = f"{self.epoch}/projector.safetensors"
        layer = f"{self.epoch}/{{layer}}"
        self.representations = f"{layer}representations-{{split}}.h5"
        self.spectrum = f"{layer}spectrum.csv"
        self.collapse = f"{layer}collapse.json"
        self.view_measures = f"{layer}view-measures.json"
        self.knn_csv = f"{layer}knn.csv"
        self.knn = f"{layer}knn.json"
        self.neighbors = f"{layer}neighbors.h5"
        self.classifier = f"{self.epoch}/{{probe}}.safetensors"
        self.probe = f"{self.epoch}/{{probe}}.json"

        self.summary = f"{root}/tables/summary.csv"
        self.figure = f"{root}/figures/{{figure}}.{{kind}}"
        self.report = f"{root}/report.html"

        self.logs = f"{root}/logs"
        self.state = f"{root}/state/{{run}}/seed{{seed}}"
        self.store = f"{root}/store"
        self.arguments = f"{root}/state/arguments"


PROJECTOR = "projector/"
FIGURE_FILES = ("pdf", "png", "csv", "txt")


def fill(pattern: str, **values: Any) -> str:
    """A pattern with its wildcards filled in; an epoch may be a number, the layer is backbone."""
    values = {"layer": "", **values}
    if isinstance(values.get("epoch"), int):
        values["epoch"] = f"{values['epoch']:04d}"
    return pattern.format(**values)
