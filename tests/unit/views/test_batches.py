"""The views of a batch: as many as the recipe says, each made in its own way."""

import numpy as np
import pytest
import torch
from toy import pretrain_spec

from ssl_collapse.config.pretrain import Augmentation, PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.views.augmentation import Augmenter
from ssl_collapse.views.batches import CroppedViews, load_views

BYOL = [{"blur_probability": 1.0}, {"blur_probability": 0.1, "solarize_probability": 0.2}]
STILL = {"jitter_probability": 0, "grayscale_probability": 0, "blur_probability": 0}


def views_of_epoch(images: PackedImages, spec: PretrainSpec, workers: int = 0):
    dataset = CroppedViews(images, np.arange(12).reshape(3, 4), spec, epoch=0)
    augmenter = Augmenter(spec.mean, spec.std, torch.device("cpu"))
    return list(load_views(dataset, 1, workers, augmenter))


def test_a_view_has_the_augmentations_keys_and_its_own():
    config = Augmentation.model_validate({"hue": 0.2, "solarize_probability": 0.3, "views": BYOL})
    keys = ("hue", "blur_probability", "solarize_probability")
    found = [tuple(getattr(view, key) for key in keys) for view in config.of_views]
    assert found == [(0.2, 1.0, 0.3), (0.2, 0.1, 0.2)]
    plain = Augmentation.model_validate({"solarize_probability": 0.3, "views": [{}, {}, STILL]})
    assert [view.solarize_probability for view in plain.of_views] == [0.3] * 3
    # a spec is complete: what it leaves out is neutral, and not what the views share
    zero = Augmentation.model_validate(
        {"solarize_probability": 0.3, "views": [{"solarize_probability": 0}, {}]}
    )
    assert Augmentation.from_spec(zero.to_spec_json()) == zero


@pytest.mark.parametrize("workers", [0, 1])
def test_every_view_is_made_in_its_own_way(images: PackedImages, workers: int):
    whole = {**STILL, "min_scale": 1.0, "flip_probability": 0}
    views = [whole, whole, {**whole, "flip_probability": 1}, {**whole, "solarize_probability": 1}]
    spec = pretrain_spec(augmentation={"views": views}, mean=[0, 0, 0], std=[1, 1, 1], crop=12)
    steps = views_of_epoch(images, spec, workers)
    assert [[v.shape for v in step] for step in steps] == [[(4, 3, 12, 12)] * 4] * 2
    # 12 x 12 images: area 1 fits at ratio 1 alone, so that each crop is the whole image
    rows = np.stack([images.image(i) for i in range(4, 8)])
    picture = torch.from_numpy(rows).permute(0, 3, 1, 2) / 255
    same, again, mirrored, inverted = steps[0]
    assert torch.equal(same, picture) and torch.equal(again, picture)
    assert torch.equal(mirrored, picture.flip(3))
    assert torch.equal(inverted, torch.where(picture >= 128 / 255, 1 - picture, picture))


def test_views_without_keys_of_their_own_are_the_two_that_there_always_were(images: PackedImages):
    default, explicit = (
        views_of_epoch(images, pretrain_spec(augmentation=augmentation))
        for augmentation in ({}, {"views": [{}, {}]})
    )
    for step, same in zip(default, explicit, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(step, same, strict=True))
