"""Signs that a training has failed."""

import math

import pytest
import torch
from torch import Tensor
from toy import pretrain_spec

from ssl_collapse.training.health import (
    DivergedError,
    all_equal,
    check_loss,
    rows_without_training,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_loss_that_is_not_finite_is_named_with_epoch_and_step_from_1(value: float):
    check_loss(-1.0, 2, 4)
    with pytest.raises(DivergedError, match=f"the loss is {value} in epoch 3, step 5"):
        check_loss(value, 2, 4)


@pytest.mark.parametrize(
    "rows",
    [
        torch.ones(4, 3),
        torch.zeros(4, 3),  # without direction: all zeros are equal
        torch.tensor([[1.0, 2.0], [3.0, 6.0]]),  # one direction: equal once normalised
        torch.tensor([[1.0, 2.0], [1.0, 2.0 + 2e-7]]),  # the next float32 after 2 is 2 + 2.4e-7
        torch.full((2, 4), 1e30),
        torch.ones(300, 512) * torch.linspace(0.1, 9, 300)[:, None],
    ],
)
def test_equal_to_within_rounding(rows: Tensor):
    assert all_equal(rows)


@pytest.mark.parametrize(
    "rows",
    [
        torch.eye(3),
        1e30 * torch.eye(3),  # the squares overflow float32
        torch.tensor([[1.0, 2.0], [1.0, 2.0001]]),  # a hundred times float32's rounding
        torch.tensor([[1.0, 0.0, 5.0], [1.0, 1e-5, 5.0]]),  # one dimension that varies is enough
        torch.tensor([[NAN, 1.0], [NAN, 1.0]]),  # not equal: that is another finding
    ],
)
def test_not_equal(rows: Tensor):
    assert not all_equal(rows)


def test_rows_of_the_epochs_that_a_diverged_run_lacks():
    spec = pretrain_spec(epochs=4, batch_size=256, base_lr=0.1)
    rows = rows_without_training(spec, 2)  # two epochs are finished
    assert [row["epoch"] for row in rows] == [3, 4]
    assert all(math.isnan(row["loss"]) for row in rows)
    assert rows[0]["lr"] == pytest.approx(0.05)  # half-way down the cosine
