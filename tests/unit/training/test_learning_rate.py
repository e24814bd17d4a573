"""Learning rates against values worked out by hand."""

import pytest

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.training.learning_rate import epoch_lr, initial_lr
from ssl_collapse.training.optimizer import build_optimizer, set_epoch_lr


def recipe(**keys: object) -> Recipe:
    base = {"backbone": {"arch": "small_resnet", "width": 4, "blocks": [1]}, "epochs": 4}
    method = {"name": "simsiam", "projection_dim": 8, "predictor_hidden_dim": 4}
    return Recipe.model_validate({**base, "method": method, **keys})


def test_lr_scales_with_the_batch():
    # 0.05 * 512 / 256
    assert initial_lr(recipe(batch_size=512)) == 0.1


def test_half_cosine_over_four_epochs():
    # 0.05/2 * (1 + cos(pi e/4)): e = 0 -> 0.05, e = 2 -> 0.025, e = 1 and 3 mirror each other
    lrs = [epoch_lr(recipe(), e) for e in range(4)]
    assert lrs[0] == 0.05
    assert lrs[2] == pytest.approx(0.025)
    assert lrs[1] + lrs[3] == pytest.approx(0.05)


def test_final_lr_is_where_the_cosine_ends():
    # halfway between 0.05 and 0.01
    assert epoch_lr(recipe(final_lr=0.01), 2) == pytest.approx(0.03)


def test_warm_up_rises_by_equal_steps_and_then_the_cosine_starts_at_the_top():
    # w = 3 of 4: 0.05 * (1, 2, 3) / 4, then the cosine over the one epoch left
    lrs = [epoch_lr(recipe(warmup_epochs=3), e) for e in range(4)]
    assert lrs == pytest.approx([0.0125, 0.025, 0.0375, 0.05])


def test_fix_pred_lr_keeps_the_predictors_rate():
    for fixed, expected in ((True, 0.05), (False, 0.025)):
        r = recipe(fix_pred_lr=fixed)
        model = build_method(*build_backbone(r.backbone), r.method)
        optimizer = build_optimizer(model, r)
        assert set_epoch_lr(optimizer, r, 2) == pytest.approx(0.025)
        encoder, predictor = optimizer.param_groups
        assert encoder["lr"] == pytest.approx(0.025)
        assert predictor["lr"] == pytest.approx(expected)
