"""LARC: steps worked out by hand, and 300 of them against a transcription in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn
from transcribed_larc import larc_step

from ssl_collapse.evaluation.larc import Larc


def parameter(values: list[float], gradient: list[float]) -> nn.Parameter:
    made = nn.Parameter(torch.tensor(values, dtype=torch.float64))
    made.grad = torch.tensor(gradient, dtype=torch.float64)
    return made


def test_a_step_is_a_fraction_of_the_weights_whatever_the_gradients_length():
    # |w| = 5, |g| = 0.1: g * 0.01 * 5 / 0.1 = g * 0.5 = (0.03, 0.04); w - 2 (0.03, 0.04)
    weight = parameter([3.0, 4.0], [0.06, 0.08])
    Larc([weight], lr=2.0, momentum=0.0, trust=0.01).step()
    assert weight.tolist() == pytest.approx([2.94, 3.92])


def test_weight_decay_is_in_the_gradient_and_in_the_rate():
    # |w| = 5, |g| = 0.5, decay 0.1: rate = 0.01 * 5 / (0.5 + 0.5) = 0.05
    # g + 0.1 w = (0.6, 0.8), times 0.05 = (0.03, 0.04); w - (0.03, 0.04)
    weight = parameter([3.0, 4.0], [0.3, 0.4])
    Larc([weight], lr=1.0, momentum=0.0, weight_decay=0.1, trust=0.01).step()
    assert weight.tolist() == pytest.approx([2.97, 3.96])


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_a_bias_of_zero_takes_a_plain_step_and_is_adapted_from_then_on(weight_decay: float):
    # first -0.5 (1, 2) whatever the decay; then |b| = |g| = sqrt(5)/2, without decay rate = trust
    bias = parameter([0.0, 0.0], [1.0, 2.0])
    larc = Larc([bias], lr=0.5, momentum=0.0, weight_decay=weight_decay, trust=0.01)
    larc.step()
    assert bias.tolist() == [-0.5, -1.0]
    if not weight_decay:
        bias.grad = torch.tensor([0.5, 1.0], dtype=torch.float64)
        larc.step()  # 0.5 * 0.01 (0.5, 1)
        assert bias.tolist() == pytest.approx([-0.5025, -1.005])


def test_a_gradient_of_zero_moves_nothing_not_even_by_the_decay():
    weight = parameter([3.0, 4.0], [0.0, 0.0])
    Larc([weight], lr=1.0, weight_decay=0.5).step()
    assert weight.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("decay", [0.0, 1e-3])
def test_three_hundred_steps_of_a_classifier_against_the_transcription(decay: float):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 12)), rng.integers(5, size=64)
    classifier = nn.Linear(12, 5, dtype=torch.float64)
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(0.01 * rng.standard_normal((5, 12))))
        classifier.bias.zero_()
    larc = Larc(classifier.parameters(), lr=0.4, momentum=0.9, weight_decay=decay)
    ours = [classifier.weight.detach().numpy().copy(), np.zeros(5)]
    buffers: list[np.ndarray | None] = [None, None]
    for step in range(300):
        lr = 20.0 * (1 + np.cos(np.pi * step / 300))
        larc.param_groups[0]["lr"] = lr
        larc.zero_grad()
        loss = nn.functional.cross_entropy(classifier(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        larc.step()
        scores = x @ ours[0].T + ours[1]
        error = np.exp(scores - scores.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(64), y] -= 1
        larc_step(ours, [error.T @ x / 64, error.mean(axis=0)], buffers, lr, 0.9, decay)
    np.testing.assert_allclose(classifier.weight.detach().numpy(), ours[0], atol=1e-7)
    np.testing.assert_allclose(classifier.bias.detach().numpy(), ours[1], atol=1e-7)
    assert np.abs(ours[1]).max() > 0.01  # the bias has moved
