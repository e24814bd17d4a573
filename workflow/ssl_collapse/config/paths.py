"""Where each result lies: every path once, as a pattern with the wildcards of its rule."""

import re
from typing import Any


class Paths:
    """The patterns of all results under one folder; `{epoch}` is written with four digits.

    `{run}` and `{seed}` name one training, `{split}` is train or val,
    `{probe}` is probe or probe-cached, `{layer}` nothing for the backbone, projector/ for that.
    """

    def __init__(self, root: str = "results") -> None:
        self.root = root
        root = root and f"{root}/"
        dataset = f"{root}data/{{dataset}}"
        self.images = f"{dataset}/images"
        self.description = f"{dataset}/dataset.json"
        self.inventory = f"{dataset}/inventory.json"
        self.packed = f"{dataset}/{{split}}.h5"
        self.ordering = f"{dataset}/ordering-seed{{seed}}.npy"

        training = f"{root}runs/{{run}}/seed{{seed}}"
        self.training = f"{training}/training.csv"
        self.speed = f"{training}/speed.csv"
        self.checkpoints = f"{training}/checkpoints"

        self.epoch = f"{training}/epoch{{epoch}}"
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

        self.summary = f"{root}tables/summary.csv"
        self.figure = f"{root}figures/{{figure}}.{{kind}}"
        self.report = f"{root}report.html"

        self.logs = f"{root}logs"
        self.state = f"{root}state/{{run}}/seed{{seed}}"
        self.store = f"{root}store"
        self.arguments = f"{root}state/arguments"


INSIDE = Paths("")  # from the folder of results, wherever that lies
PROJECTOR = "projector/"
FIGURE_FILES = ("pdf", "png", "csv", "txt")


def fill(pattern: str, **values: Any) -> str:
    """A pattern with its wildcards filled in; an epoch may be a number, the layer is backbone."""
    values = {"layer": "", **values}
    if not isinstance(values.get("epoch", ""), str):
        values["epoch"] = f"{values['epoch']:04d}"
    return pattern.format(**values)


def matching(pattern: str) -> re.Pattern[str]:
    """What finds the paths of a pattern, of the backbone's layer, with its wildcards as groups."""
    parts = re.split(r"\{(\w+)\}", pattern.replace("{layer}", ""))
    kinds = {"seed": r"\d+", "epoch": r"\d+"}
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = (f"(?P<{name}>{kinds.get(name, '.+')})" for name in parts[1::2])
    return re.compile(f"(?:^|/){''.join(parts)}$")
