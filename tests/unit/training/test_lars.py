"""LARS against MoCo v3's and against what is worked by hand."""

import pytest
import torch

from ssl_collapse.training.lars import Lars


def test_one_step_worked_by_hand():
    weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0]]))
    bias = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    weight.grad, bias.grad = torch.tensor([[0.0, 1.0]]), torch.tensor([0.0, 1.0])
    Lars([weight, bias], lr=2.0, weight_decay=0.5).step()
    # g = (0, 1) + .5 (3, 4) = (1.5, 3), of norm 3.3541; |p| = 5: rate .001 * 5 / 3.3541
    rate = 0.001 * 5 / 11.25**0.5
    assert weight[0].tolist() == pytest.approx([3 - 2 * 1.5 * rate, 4 - 2 * 3 * rate])
    assert bias.tolist() == pytest.approx([3, 2])  # neither adapted nor decayed: 4 - 2 * 1


@pytest.mark.parametrize(("weight", "gradient"), [(0.0, 1.0), (1.0, 0.0)])
def test_without_weight_or_gradient_the_step_is_plain(weight: float, gradient: float):
    p = torch.nn.Parameter(torch.full((1, 1), weight))
    p.grad = torch.full((1, 1), gradient)
    Lars([p], lr=0.5).step()
    assert p.item() == weight - 0.5 * gradient


def moco_step(weights, gradients, velocity, lr, momentum=0.9, weight_decay=0.01, trust=0.001):
    """`LARS.step` of facebookresearch/moco-v3, `moco/optimizer.py`, on plain tensors."""
    for p, dp, mu in zip(weights, gradients, velocity, strict=True):
        if p.ndim > 1:
            dp = dp.add(p, alpha=weight_decay)
            param_norm, update_norm = torch.norm(p), torch.norm(dp)
            one = torch.ones_like(param_norm)
            q = torch.where(
                param_norm > 0.0,
                torch.where(update_norm > 0, (trust * param_norm / update_norm), one),
                one,
            )
            dp = dp.mul(q)
        mu.mul_(momentum).add_(dp)
        p.add_(mu, alpha=-lr)


def test_three_steps_are_those_of_moco_v3():
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in [(4, 3, 2, 2), (5, 4), (5,)]]
    weights = [p.detach().clone() for p in parameters]
    velocity = [torch.zeros_like(p) for p in weights]
    lars = Lars(parameters, lr=0.1, weight_decay=0.01)
    for lr in (0.1, 0.3, 0.2):
        gradients = [torch.randn_like(p) for p in weights]
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad = gradient.clone()
        lars.param_groups[0]["lr"] = lr
        lars.step()
        moco_step(weights, gradients, velocity, lr)
        for p, weight in zip(parameters, weights, strict=True):
            torch.testing.assert_close(p.detach(), weight, rtol=1e-6, atol=1e-7)
