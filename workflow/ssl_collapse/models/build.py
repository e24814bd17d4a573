"""From config to module: the backbone, and the method around it."""

from importlib import import_module
from pathlib import Path
from typing import Any, cast

from torch import nn

from ssl_collapse.config.families import model_module
from ssl_collapse.models.method import MethodModule


def build_backbone(config: Any) -> tuple[nn.Module, int]:
    """Build a backbone, (N, 3, H, W) -> (N, feature_dim), and say its feature_dim."""
    built = import_module(model_module(config)).build(config)
    return cast(tuple[nn.Module, int], built)


def build_method(
    backbone: nn.Module, feature_dim: int, config: Any, **inputs: Path
) -> MethodModule:
    """Hang the method that `config` describes on a backbone; `inputs`: what it has been given.

    A method's `build` is its class, or a function where there is more to do.
    """
    built = import_module(model_module(config)).build(backbone, feature_dim, config, **inputs)
    return cast(MethodModule, built)
