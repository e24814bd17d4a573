"""Projectors and predictors of every method with its default keys, layer by layer."""

import pytest
import torch
from torch import nn

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_method

RESNET = "64>4096 norm relu 4096>256"
PREDICTOR = "256>4096 norm relu 4096>256"
EXPANDER = "64>8192 norm relu 8192>8192 norm relu 8192>8192"
# The bias before a last batch norm, which cancels it, is frozen.
SIMSIAM = (
    "64>64 norm relu 64>64 norm relu 64>2048 frozen-bias standardise",
    "2048>512 norm relu 512>2048 bias",
)
VIT = {"projector_layers": 3, "predictor_norm": True}


def described(head: nn.Module) -> str:
    words = []
    for layer in head.children():
        if isinstance(layer, nn.Linear):
            words.append(f"{layer.in_features}>{layer.out_features}")
            if layer.bias is not None:
                words.append("bias" if layer.bias.requires_grad else "frozen-bias")
        elif isinstance(layer, nn.BatchNorm1d):
            words.append("norm" if layer.affine else "standardise")
        else:
            words.append(type(layer).__name__.lower())
    return " ".join(words)


@pytest.mark.parametrize(
    ("method", "keys", "projector", "predictor"),
    [
        ("simsiam", {}, *SIMSIAM),
        ("nnsiam", {}, *SIMSIAM),
        ("byol", {}, RESNET, PREDICTOR),
        ("moco_v3", {}, f"{RESNET} standardise", PREDICTOR),
        ("moco_v3", VIT, f"64>4096 norm relu 4096>{RESNET.removeprefix('64>')} standardise",
         f"{PREDICTOR} standardise"),
        ("vicreg", {}, EXPANDER, None),
        ("barlow_twins", {}, EXPANDER, None),
        ("lejepa", {}, "64>2048 norm relu 2048>2048 norm relu 2048>128 bias", None),
    ],
)  # fmt: skip
def test_layers(method: str, keys: dict[str, object], projector: str, predictor: str | None):
    recipe = {"backbone": {"arch": "small_resnet"}, "method": {"name": method, **keys}}
    with torch.device("meta"):
        model = build_method(nn.Identity(), 64, Recipe.model_validate(recipe).method)
    assert described(model.projector) == projector
    if predictor:
        assert described(model.predictor) == predictor
