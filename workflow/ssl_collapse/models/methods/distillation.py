"""Distillation, as in the `distill.py` of the paper's authors."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssl_collapse.config.methods.distillation import Config
from ssl_collapse.models.encoder_file import read_encoder
from ssl_collapse.models.gathering import gather
from ssl_collapse.models.method import MethodModule
from ssl_collapse.runtime.errors import UserError

EPS = 1e-6


class DistillationModel(MethodModule):
    """The student and a linear layer to the teacher's width, with running statistics of it."""

    projector: nn.Module
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        feature_dim: int,
        config: Config,
        teacher: nn.Module,
        teacher_dim: int,
    ) -> None:
        super().__init__(backbone, nn.Linear(feature_dim, teacher_dim))
        self.ema_alpha = config.ema_alpha
        # In a tuple it is no part of this module: an input, in no checkpoint, and always in eval.
        self._teacher = (teacher,)
        self.register_buffer("mean", torch.zeros(teacher_dim))
        self.register_buffer("std", torch.ones(teacher_dim))

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch: views (B, 3, H, W) -> scalar; the mean over views."""
        features = self._teach(torch.cat(views))
        targets = (features - self.mean) / (EPS + self.std)
        self._follow(gather(features))
        students = torch.cat([self.projector(self.backbone(view)) for view in views])
        return F.mse_loss(students, targets)

    @torch.no_grad()
    def _teach(self, images: Tensor) -> Tensor:
        teacher: Callable[[Tensor], Tensor] = self._teacher[0].to(images.device)
        return teacher(images).to(self.mean)

    @torch.no_grad()
    def _follow(self, features: Tensor) -> None:
        """Mix the mean and the unbiased std of a whole batch (B, D) into the running ones."""
        self.mean.lerp_(features.mean(dim=0), self.ema_alpha)
        self.std.lerp_(features.std(dim=0), self.ema_alpha)


def build(
    backbone: nn.Module, feature_dim: int, config: Config, teacher: Path | None = None
) -> DistillationModel:
    """Make a backbone the student of an encoder file."""
    if teacher is None:
        raise UserError("distillation needs a teacher: an encoder file")
    network, metadata = read_encoder(teacher)
    model = DistillationModel(backbone, feature_dim, config, network, int(metadata["feature_dim"]))
    if "failure" in metadata:
        model.failure = f"its teacher is of a run that has diverged: {metadata['failure']}"
    return model
