"""A method's own recipe: laid under the user's keys, and resolved in the spec."""

from typing import Any

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
    views = byol.augmentation.of_views
    shown = [(v.min_scale, v.contrast, v.blur_probability, v.solarize_probability) for v in views]
    assert shown == [(0.08, 0.4, 1.0, 0.0), (0.08, 0.4, 0.1, 0.2)]
    assert spec(method={"name": "nnsiam"}).to_spec() | {"method": 0} == spec(
        method={"name": "simsiam"}
    ).to_spec() | {"method": 0}


def test_recipes_of_other_methods():
    twins, vicreg = (spec(method={"name": name}) for name in ("barlow_twins", "vicreg"))
    assert (twins.base_lr, twins.base_lr_1d, twins.final_lr) == (0.2, 0.0048, 0.2 / 1000)
    assert (vicreg.base_lr, vicreg.base_lr_1d, vicreg.final_lr) == (0.3, None, 0.3 / 1000)
    for method in (twins, vicreg):
        assert (method.optimizer, method.weight_decay) == ("lars_excluding_1d", 1e-6)
        assert [view.solarize_probability for view in method.augmentation.of_views] == [0.0, 0.2]
    lejepa = spec(method={"name": "lejepa"})
    assert (lejepa.optimizer, lejepa.base_lr, lejepa.final_lr) == ("adamw", 5e-4, 5e-7)
    assert [view.min_scale for view in lejepa.augmentation.of_views] == [0.08] * 4
    student = spec(method={"name": "distillation"})
    assert (student.optimizer, student.base_lr, student.weight_decay) == ("sgd", 0.05, 1e-4)
    assert len(student.augmentation.of_views) == 1


def test_the_users_own_keys_win_one_by_one():
    keys = {"base_lr": 0.3, "lr_schedule": "epoch", "augmentation": {"min_scale": 0.5}}
    byol = spec(method={"name": "byol"}, **keys)
    assert (byol.base_lr, byol.lr_schedule, byol.optimizer) == (0.3, "epoch", "lars_excluding_1d")
    assert (byol.augmentation.min_scale, byol.augmentation.saturation) == (0.5, 0.2)
    # what is said of all views is not undone by the method's own views
    views = spec(method={"name": "byol"}, augmentation={"blur_probability": 0.3}).augmentation
    shown = [(view.blur_probability, view.solarize_probability) for view in views.of_views]
    assert shown == [(0.3, 0.0), (0.3, 0.2)]
    equal = spec(method={"name": "byol"}, augmentation={"views": None}).augmentation.of_views
    assert equal[0] == equal[1]


def test_a_spec_is_read_as_it_is():
    # `lr_schedule: epoch` is neutral, so the spec is silent; BYOL's own `step` must not come back
    byol = spec(method={"name": "byol"}, lr_schedule="epoch")
    assert "lr_schedule" not in byol.to_spec()
    assert PretrainSpec.from_spec(byol.to_spec_json()) == byol
