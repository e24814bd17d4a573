"""Learning rates against values worked out by hand."""

from typing import Any

import pytest
import torch
from toy import pretrain_spec

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.models.method import MethodModule
from ssl_collapse.training.learning_rate import epoch_lr, initial_lr
from ssl_collapse.training.optimizer import build_optimizer, set_rates


def recipe(**keys: object) -> Recipe:
    return pretrain_spec(**{"epochs": 4, "batch_size": 256, **keys})


def optimizer_of(r: Recipe) -> torch.optim.Optimizer:
    return build_optimizer(build_method(*build_backbone(r.backbone), r.method), r)


def test_lr_scales_with_the_batch():
    # 0.05 * 512 / 256
    assert initial_lr(recipe(batch_size=512)) == 0.1


@pytest.mark.parametrize(
    ("keys", "rates"),
    [
        # 0.05/2 (1 + cos(pi e/4)) in epoch e, the same in all of it
        ({}, {0: 0.05, 1: 0.025 * (1 + 0.5**0.5), 1.5: 0.025 * (1 + 0.5**0.5), 2: 0.025}),
        # halfway between 0.05 and 0.01; scaled by 512 / 256 like the initial rate
        ({"final_lr": 0.01}, {2: 0.03}),
        ({"final_lr": 0.01, "batch_size": 512}, {2: 0.06}),
        # w = 3 of 4: 0.05 * (1, 2, 3) / 4, then the cosine over the one epoch left
        ({"warmup_epochs": 3}, {0: 0.0125, 1: 0.025, 2: 0.0375, 3: 0.05}),
        # by step 0.05 t / 2; then of the two epochs left, 0.01 + 0.04/2 (1 + cos(pi (t - 2)/2))
        (
            {"lr_schedule": "step", "warmup_epochs": 2, "final_lr": 0.01},
            {0: 0, 0.5: 0.0125, 1.5: 0.0375, 2: 0.05, 2.5: 0.01 + 0.02 * (1 + 0.5**0.5), 3: 0.03},
        ),
    ],
)
def test_rates_by_epoch(keys: dict[str, Any], rates: dict[float, float]):
    found = {t: epoch_lr(recipe(**keys), int(t), t % 1) for t in rates}
    assert found == pytest.approx(rates)


def test_lars_has_groups_of_1d_parameters_with_a_rate_of_their_own():
    r = recipe(optimizer="lars_excluding_1d", base_lr=0.2, base_lr_1d=0.05, fix_pred_lr=True)
    optimizer = optimizer_of(r)
    shapes = [{p.ndim for p in group["params"]} for group in optimizer.param_groups]
    assert shapes == [{2, 4}, {2}, {1}, {1}]
    set_rates(optimizer, r, 2, 0, steps=4)
    # halfway down the cosine, the predictor's as at first; those of biases are a quarter
    expected = [0.1, 0.2, 0.025, 0.05]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(expected)


def test_weight_decay_goes_on_a_half_cosine_over_all_steps():
    r = recipe(optimizer="adamw", weight_decay=0.04, final_weight_decay=0.4)
    optimizer = optimizer_of(r)
    # 0.4 - 0.36 (1 + cos(pi t/4)) / 2 of t epochs
    one_epoch = 0.4 - 0.18 * (1 + 0.5**0.5)
    for epoch, step, expected in ((0, 0, 0.04), (1, 0, one_epoch), (0, 4, one_epoch), (2, 0, 0.22)):
        set_rates(optimizer, r, epoch, step, steps=4)
        decays = [group["weight_decay"] for group in optimizer.param_groups]
        assert decays == pytest.approx([expected] * 2)


def rates(epoch: int, step: int = 0, **keys: object) -> tuple[float, float]:
    """The rates of encoder and predictor."""
    r = recipe(**keys)
    optimizer = optimizer_of(r)
    set_rates(optimizer, r, epoch, step, steps=4)
    encoder, predictor = optimizer.param_groups
    return encoder["lr"], predictor["lr"]


def test_fix_pred_lr_keeps_the_predictors_rate():
    assert rates(2) == pytest.approx((0.025, 0.025))
    assert rates(2, fix_pred_lr=True) == pytest.approx((0.025, 0.05))


def test_with_fix_pred_lr_the_predictor_warms_up_with_the_encoder_and_is_fixed_then():
    # w = 2 of 4: 0.05 * (1, 2) / 3, then 0.05/2 (1 + cos(pi (0, 1)/2)) and for the predictor 0.05
    pairs = [rates(e, fix_pred_lr=True, warmup_epochs=2) for e in range(4)]
    assert [encoder for encoder, _ in pairs] == pytest.approx([0.05 / 3, 0.1 / 3, 0.05, 0.025])
    assert [predictor for _, predictor in pairs] == pytest.approx([0.05 / 3, 0.1 / 3, 0.05, 0.05])


@pytest.mark.parametrize("fixed", [True, False])
def test_warm_up_steps_set_the_encoders_rate_to_0_in_every_epoch_but_the_first(fixed: bool):
    keys = {"n_warmup_steps": 2, "fix_pred_lr": fixed}
    predictor = 0.05 if fixed else 0.025
    assert rates(0, 0, **keys) == pytest.approx((0.05, 0.05))
    assert rates(2, 1, **keys) == pytest.approx((0, predictor))
    assert rates(2, 2, **keys) == pytest.approx((0.025, predictor))


def weight_after_steps(gradients: tuple[float, ...], **keys: object) -> list[float]:
    """The encoder's weight, 1 at first, after each step of epoch 2, of which the first is frozen.

    The rate of epoch 2 is 1 (512 / 256 of base_lr 1, and half of that by the cosine).
    """
    r = recipe(base_lr=1.0, batch_size=512, n_warmup_steps=1, **keys)
    encoder, predictor = (torch.nn.ParameterList([torch.ones(1)]) for _ in range(2))
    model = MethodModule(encoder, predictor=predictor)
    optimizer, weights = build_optimizer(model, r), []
    for step, gradient in enumerate(gradients):
        set_rates(optimizer, r, 2, step, steps=2)
        for weight in model.parameters():
            weight.grad = torch.tensor([float(gradient)])
        optimizer.step()
        weights.append(model.backbone[0].item())
    return weights


def test_momentum_goes_on_gathering_while_the_encoder_is_frozen():
    # buffer 1, not applied; then 0.5 * 1 + 1 = 1.5: 1 - 1.5
    assert weight_after_steps((1, 1), momentum=0.5, weight_decay=0) == [1, -0.5]
    # of a gradient that has gone, momentum alone is left: 0.5 * 1 + 0
    assert weight_after_steps((1, 0), momentum=0.5, weight_decay=0) == [1, 0.5]
    # weight decay is part of SGD's gradient: 0 + 0.25 * 1, then 0.5 * 0.25 + 0.25 = 0.375
    assert weight_after_steps((0, 0), momentum=0.5, weight_decay=0.25) == [1, 0.625]


def test_adamw_does_not_decay_a_frozen_encoder():
    # its decay is weight * rate * weight_decay, apart from the moments: none, then 1 - 1 * 0.25
    assert weight_after_steps((0, 0), optimizer="adamw", weight_decay=0.25) == [1, 0.75]
