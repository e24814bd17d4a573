"""Signs that a training has failed."""

import logging
import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from toy import pretrain_spec

from ssl_collapse.training.health import (
    DivergedError,
    StepWatch,
    all_equal,
    check_loss,
    health,
    highest_rank,
    rows_without_training,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_loss_that_is_not_finite_is_named_with_epoch_and_step_from_1(value: float):
    check_loss(-1.0, 2, 4)
    with pytest.raises(DivergedError, match=f"the loss is {value} in epoch 3, step 5"):
        check_loss(value, 2, 4)


@pytest.mark.parametrize(
    ("rows", "equal"),
    [
        (torch.ones(4, 3), True),
        (torch.zeros(4, 3), True),  # without direction: all zeros are equal
        (torch.tensor([[1.0, 2.0], [3.0, 6.0]]), True),  # one direction: equal once normalised
        (torch.tensor([[1.0, 2.0], [1.0, 2.0 + 2e-7]]), True),  # float32's next after 2: + 2.4e-7
        (torch.full((2, 4), 1e30), True),
        (torch.ones(300, 512) * torch.linspace(0.1, 9, 300)[:, None], True),
        (torch.eye(3), False),
        (1e30 * torch.eye(3), False),  # the squares overflow float32
        (torch.tensor([[1.0, 2.0], [1.0, 2.0001]]), False),  # a hundred times float32's rounding
        (torch.tensor([[1.0, 0, 5], [1, 1e-5, 5]]), False),  # one dimension that varies is enough
        (torch.tensor([[NAN, 1.0], [NAN, 1.0]]), False),  # that is another finding
    ],
)
def test_equal_to_within_rounding(rows: Tensor, equal: bool):
    assert all_equal(rows) == equal


def test_rows_of_the_epochs_that_a_diverged_run_lacks():
    spec = pretrain_spec(epochs=4, batch_size=256, base_lr=0.1)
    rows = rows_without_training(spec, 2)  # two epochs are finished
    assert [row["epoch"] for row in rows] == [3, 4]
    assert all(math.isnan(row["loss"]) for row in rows)
    assert rows[0]["lr"] == pytest.approx(0.05)  # half-way down the cosine
    empty = [row[name] for row in rows for name in ("std_per_dimension", "effective_rank")]
    assert np.isnan(empty).all()


@pytest.mark.parametrize(
    ("rows", "std", "rank", "highest"),
    [
        # along one axis, normalised +-(1, 0): std 1 and 0, mean 1/2; one direction
        ([[1.0, 0], [-2, 0], [3, 0], [-2, 0]], 0.5, 1, 2),
        # the corners of a square: std 1/sqrt(2) in both, the ideal; two equal singular values
        ([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], 0.5**0.5, 2, 2),
    ],
)
def test_health_by_hand(rows: list[list[float]], std: float, rank: float, highest: int):
    found = health(torch.tensor(rows))
    assert found == pytest.approx({"std_per_dimension": std, "effective_rank": rank})
    assert highest_rank(torch.tensor(rows)) == highest


@pytest.mark.parametrize("shape", [(40, 16), (16, 40)])
def test_health_against_scipy(shape: tuple[int, int]):
    z = np.random.default_rng(0).normal(1, 1, shape) * np.geomspace(1, 1e-3, shape[1])
    sigma = scipy.linalg.svdvals(z - z.mean(axis=0))
    p = sigma[sigma > 1e-12] / sigma.sum()
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    found = health(torch.tensor(z))
    assert found["effective_rank"] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-6)
    assert found["std_per_dimension"] == pytest.approx(unit.std(axis=0).mean(), rel=1e-9)
    assert found["effective_rank"] <= highest_rank(torch.tensor(z)) == min(shape[0] - 1, shape[1])


def test_health_at_the_edges():
    # equal to within rounding: the rounding has a rank, which says nothing
    noise = 1 + 1e-7 * torch.rand(8, 4, generator=torch.Generator().manual_seed(0))
    assert health(noise)["effective_rank"] == 0
    assert health(noise)["std_per_dimension"] < 1e-6
    assert health(torch.zeros(4, 3)) == {"std_per_dimension": 0, "effective_rank": 0}
    assert all(math.isnan(value) for value in health(torch.full((4, 3), INF)).values())
    assert health(1e30 * torch.eye(4)) == pytest.approx(health(torch.eye(4)))
    # of a batch beyond 1024 rows, those: the last row's NaN is not seen
    assert health(torch.cat([torch.eye(1024, 2), torch.full((1, 2), NAN)]))["effective_rank"] > 1


def test_dimensional_collapse_is_said_once(caplog: pytest.LogCaptureFixture):
    # 10 % of the possible 255 are 25.5; epochs 4 and 6 are below, so that epoch 4 is named
    watch, rows = StepWatch(torch.nn.Identity(), "iid/seed0"), []
    for epoch, rank in ((3, 25.6), (4, 25.4), (5, 80.0), (6, 2.0)):
        rows.append({"epoch": epoch, "effective_rank": rank})
        with caplog.at_level(logging.WARNING):
            watch.dimensional_collapse(rows, highest=255)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        "iid/seed0: dimensional collapse in epoch 4: the backbone's output on a batch has an "
        "effective rank of 25.4, below 10 % of the possible 255; training goes on"
    )
