"""From config to module: the backbone, and the method around it."""

from importlib import import_module
from typing import Any, Protocol, cast

from torch import Tensor, nn

from ssl_collapse.config.families import model_module


class SiameseModel(Protocol):
    """What the training loop needs of a method's module."""

    backbone: nn.Module

    def __call__(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Loss of a batch, from two views of shape (B, 3, H, W)."""

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters that `n_warmup_steps` freezes."""

    def predictor_parameters(self) -> list[nn.Parameter]:
        """Parameters that keep the initial learning rate under `fix_pred_lr`."""


def build_backbone(config: Any) -> tuple[nn.Module, int]:
    """Build a backbone, (N, 3, H, W) -> (N, feature_dim), and say its feature_dim."""
    built = import_module(model_module(config)).build(config)
    return cast(tuple[nn.Module, int], built)


def build_method(backbone: nn.Module, feature_dim: int, config: Any) -> nn.Module:
    """Hang the method that `config` describes on a backbone: a `SiameseModel`."""
    return cast(nn.Module, import_module(model_module(config)).build(backbone, feature_dim, config))
