"""A method's own recipe: laid under the user's keys, and resolved in the spec."""

from typing import Any

import pytest
from pydantic import ValidationError
from toy import RECIPE

from ssl_collapse.config.pretrain import PretrainSpec

BASE = {key: value for key, value in RECIPE.items() if key not in ("epochs", "batch_size")}


def spec(**keys: Any) -> PretrainSpec:
    return PretrainSpec.model_validate({**BASE, **keys})


def test_the_name_alone_gives_the_recipe():
    byol = spec(method={"name": "byol"})
    assert (byol.optimizer, byol.base_lr, byol.weight_decay) == ("lars_excluding_1d", 0.6, 1e-6)
    assert (byol.warmup_epochs, byol.lr_schedule, byol.epochs) == (10, "step", 100)
    assert (byol.augmentation.min_scale, byol.augmentation.saturation) == (0.08, 0.2)
    assert byol.augmentation.contrast == 0.4
    assert spec(method={"name": "nnsiam"}).to_spec() | {"method": 0} == spec(
        method={"name": "simsiam"}
    ).to_spec() | {"method": 0}


def test_the_users_own_keys_win_one_by_one():
    keys = {"base_lr": 0.3, "lr_schedule": "epoch", "augmentation": {"min_scale": 0.5}}
    byol = spec(method={"name": "byol"}, **keys)
    assert (byol.base_lr, byol.lr_schedule, byol.optimizer) == (0.3, "epoch", "lars_excluding_1d")
    assert (byol.augmentation.min_scale, byol.augmentation.saturation) == (0.5, 0.2)


def test_a_spec_is_read_as_it_is():
    # `lr_schedule: epoch` is neutral, so the spec is silent; BYOL's own `step` must not come back
    byol = spec(method={"name": "byol"}, lr_schedule="epoch")
    assert "lr_schedule" not in byol.to_spec()
    assert PretrainSpec.from_spec(byol.to_spec_json()) == byol


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"method": {"name": "nnsiam", "queue_size": 1000}, "batch_size": 96},
            "method.queue_size 1000 is no multiple of batch_size 96; take 960",
        ),
        (
            {"method": {"name": "nnsiam", "queue_size": 8}, "batch_size": 16},
            "method.queue_size 8 is no multiple of batch_size 16; take 16",
        ),
        ({"method": {"name": "byol"}, "epochs": 5}, "warmup_epochs 10 must be below epochs 5"),
        ({"base_lr_1d": 0.1}, "`base_lr_1d` goes with `optimizer: lars_excluding_1d` alone"),
    ],
)
def test_what_does_not_go_together_is_said(keys: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        spec(**keys)
