"""One and two LARS steps, worked out by hand."""

import pytest
import torch
from torch import nn

from ssl_collapse.evaluation.lars import Lars


def parameter(values: list[float], gradient: list[float], shape: tuple[int, ...]) -> nn.Parameter:
    made = nn.Parameter(torch.tensor(values).reshape(shape))
    made.grad = torch.tensor(gradient).reshape(shape)
    return made


def test_a_step_is_a_fraction_of_the_weights_whatever_the_gradients_length():
    # |w| = 5, |g| = 0.1: d = g * 0.01 * 5 / 0.1 = g * 0.5 = (0.03, 0.04); w - 2 d
    weight = parameter([3.0, 4.0], [0.06, 0.08], (1, 2))
    Lars([weight], lr=2.0, momentum=0.0, trust=0.01).step()
    assert weight.tolist()[0] == pytest.approx([2.94, 3.92])


def test_momentum_and_weight_decay():
    # g = 0, decay 0.5: d = 0.5 w = (1.5, 2), |d| = 2.5, times 0.1 * 5 / 2.5 = 0.2: (0.3, 0.4)
    # first v = d, w = (3, 4) - d = (2.7, 3.6); then |w| = 4.5, d = (0.27, 0.36),
    # v = 0.5 (0.3, 0.4) + (0.27, 0.36) = (0.42, 0.56), w = (2.28, 3.04)
    weight = parameter([3.0, 4.0], [0.0, 0.0], (1, 2))
    lars = Lars([weight], lr=1.0, momentum=0.5, weight_decay=0.5, trust=0.1)
    lars.step()
    assert weight.tolist()[0] == pytest.approx([2.7, 3.6])
    lars.step()
    assert weight.tolist()[0] == pytest.approx([2.28, 3.04])


def test_one_dimension_takes_a_plain_step_without_decay():
    bias = parameter([3.0, 4.0], [1.0, -1.0], (2,))
    Lars([bias], lr=0.5, momentum=0.0, weight_decay=0.5, trust=0.01).step()
    assert bias.tolist() == [2.5, 4.5]


def test_weights_of_zero_start_with_a_plain_step():
    weight = parameter([0.0, 0.0], [1.0, 2.0], (1, 2))
    Lars([weight], lr=0.5, momentum=0.0).step()
    assert weight.tolist()[0] == [-0.5, -1.0]


def test_a_gradient_of_zero_moves_nothing_and_gives_no_nan():
    weight = parameter([3.0, 4.0], [0.0, 0.0], (1, 2))
    Lars([weight], lr=1.0).step()
    assert weight.tolist()[0] == [3.0, 4.0]
