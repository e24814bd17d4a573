"""Distillation's targets, running statistics and teacher."""

from pathlib import Path

import pytest
import torch
from torch import nn
from toy import pretrain_spec, save_teacher

from ssl_collapse.config.methods.distillation import Config
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.encoder_file import read_encoder
from ssl_collapse.models.methods.distillation import DistillationModel, build
from ssl_collapse.runtime.errors import UserError

SPEC = pretrain_spec()


def given(alpha: float = 0.05) -> DistillationModel:
    """A student and a teacher of one number each, which both say the image."""
    model = DistillationModel(nn.Flatten(), 1, Config(ema_alpha=alpha), nn.Flatten(), 1)
    nn.init.ones_(model.projector.weight)
    nn.init.zeros_(model.projector.bias)
    return model


def test_targets_are_standardised_by_what_came_before():
    model = given()
    view = torch.tensor([[1.0], [3.0]])  # mean 2, unbiased std sqrt 2
    # mean 0 and std 1 at first: the target is the image but for 1e-6
    assert model(view).item() == pytest.approx(0, abs=1e-10)
    assert model.mean.item() == pytest.approx(0.05 * 2)
    assert model.std.item() == pytest.approx(0.95 + 0.05 * 2**0.5)
    mean, std = model.mean.item(), model.std.item()
    errors = [x - (x - mean) / (1e-6 + std) for x in (1, 3)]
    assert model(view).item() == pytest.approx(sum(e**2 for e in errors) / 2, rel=1e-4)
    assert model.mean.item() == pytest.approx(0.95 * mean + 0.05 * 2)


def test_the_loss_of_more_views_is_the_mean():
    one, two = torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [9.0]])
    both, first, second = given(1.0), given(1.0), given(1.0)
    for model in (both, first, second):
        model(one)  # alpha 1: mean 2 and std sqrt 2
    assert both(one, two).item() == pytest.approx((first(one) + second(two)).item() / 2)
    assert both.mean.item() == pytest.approx(4.5)  # of all four


def test_the_teacher_is_an_input_and_no_part(tmp_path: Path):
    torch.manual_seed(0)
    path = save_teacher(tmp_path / "teacher.safetensors", width=2)  # narrower than the student
    model = build(*build_backbone(SPEC.backbone), Config(ema_alpha=1), path).train()
    assert model.projector.weight.shape == (2, 4)
    parts = {key.split(".")[0] for key in model.state_dict()}
    assert parts == {"backbone", "projector", "mean", "std"}
    images = torch.randn(4, 3, 8, 8)
    expected = read_encoder(path)[0](images)  # in eval mode: running statistics
    for _ in range(2):
        model(images)
        assert torch.equal(model.mean, expected.mean(dim=0))
    assert not (expected.requires_grad or model.mean.requires_grad)


def test_a_teacher_that_has_diverged_leaves_nothing_to_train(tmp_path: Path):
    path = save_teacher(tmp_path / "teacher.safetensors", width=2, failure="the loss is nan")
    assert build(*build_backbone(SPEC.backbone), Config(), path).failure == (
        "its teacher is of a run that has diverged: the loss is nan"
    )
    with pytest.raises(UserError, match="needs a teacher"):
        build(*build_backbone(SPEC.backbone), Config())
