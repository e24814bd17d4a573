"""LiDAR and alignment, by hand and against their definitions; the views they are of."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from ssl_collapse.config.evaluation import ViewMeasuresSpec
from ssl_collapse.config.pretrain import Augmentation
from ssl_collapse.evaluation.measures.views import alignment, lidar
from ssl_collapse.evaluation.view_measures import measure_views
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.representations.views import ViewsOfImages, represent_views

RNG = np.random.default_rng(0)
SPEC = ViewMeasuresSpec(
    images=5, views=3, augmentation=Augmentation(), crop=8, mean=[0.5] * 3, std=[0.25] * 3
)


def test_alignment_by_hand() -> None:
    # views at right angles, opposite, and equal: squared distances 2, 4 and 0
    units = np.array([[[1.0, 0], [0, 1]], [[1, 0], [-1, 0]], [[0, 1], [0, 1]]])
    assert alignment(units[:1]) == 2
    assert alignment(units) == 2
    # three views of one image, two of them equal: pairs 0, 2, 2
    assert alignment(np.array([[[1.0, 0], [1, 0], [0, 1]]])) == pytest.approx(4 / 3)


def test_lidar_by_hand() -> None:
    # four images at (+-1, 0), (0, +-1), views equal: S_b = I/2, S_w = delta I: two equal directions
    means = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    same = np.repeat(means[:, None], 3, axis=1)
    assert lidar(same, delta=0.1) == pytest.approx(2)
    # on one line: a single direction; all at one place: nothing to tell
    assert lidar(same * [1, 0], delta=0.1) == pytest.approx(1)
    assert lidar(same * 0, delta=0.1) is None


def test_lidar_against_the_definition() -> None:
    z, delta = RNG.standard_normal((50, 4, 6)) + 3 * RNG.standard_normal((50, 1, 6)), 1e-3
    means = z.mean(axis=1)
    s_b = np.cov(means.T, ddof=0)
    s_w = sum(np.cov(image.T, ddof=0) for image in z) / 50 + delta * np.eye(6)
    values, vectors = np.linalg.eigh(s_w)
    root = vectors / np.sqrt(values) @ vectors.T
    p = np.linalg.eigvalsh(root @ s_b @ root)
    p /= p.sum()
    assert lidar(z, delta) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-9)


def test_fewer_images_than_dimensions_have_at_most_one_direction_less_than_images() -> None:
    found = lidar(RNG.standard_normal((5, 3, 40)), 1e-4)
    assert found is not None and 1 < found <= 4 + 1e-9


def test_a_failed_encoder_has_no_measures() -> None:
    views = np.full((5, 3, 4), np.nan, np.float32)
    for content in (measure_views(views, SPEC), measure_views(None, SPEC, "the loss is nan")):
        assert (content["lidar"], content["alignment"]) == (None, None)
        assert content["diverged"] and content["failure"]
        json.dumps(content, allow_nan=False)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 6)).eval()


def test_views_are_of_the_same_image_and_the_same_for_any_number_of_workers(
    images: PackedImages, network: nn.Module
) -> None:
    views = represent_views(network, images, SPEC, torch.device("cpu"))
    assert views.shape == (5, 3, 6)
    again = represent_views(network, images, SPEC, torch.device("cpu"), workers=2)
    assert views.tobytes() == again.tobytes()
    # without any augmentation all views are one
    still = Augmentation(
        min_scale=1, jitter_probability=0, grayscale_probability=0, blur_probability=0,
        flip_probability=0,
    )  # fmt: skip
    spec = SPEC.model_copy(update={"augmentation": still, "images": 100})
    plain = represent_views(network, images, spec, torch.device("cpu"))
    assert len(plain) == 12  # all there are
    np.testing.assert_array_equal(plain[:, 0], plain[:, 2])
    content = measure_views(plain, spec)
    assert content["alignment"] == pytest.approx(0, abs=1e-12)
    assert content["protocol"] == {"images": 12, "dim": 6, "views": 3, "delta": 1e-4, "seed": 0}


def test_unlike_views_take_turns(images: PackedImages) -> None:
    unlike = Augmentation.model_validate({"views": [{"min_scale": 0.1}, {"min_scale": 0.9}]})
    drawn = ViewsOfImages(images, SPEC.model_copy(update={"augmentation": unlike}))
    assert [view.min_scale for view in drawn.views] == [0.1, 0.9, 0.1]
