"""LARS as BYOL, MoCo v3, VICReg and Barlow Twins use it: biases and norms take plain steps.

The linear probe's LARC (`evaluation/larc.py`) is another optimiser: it adapts every parameter.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

TRUST = 0.001


class Lars(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling (You et al. 2017, arXiv 1708.03888), but for 1-D parameters.

    For every parameter p of two or more axes, with gradient g and weight decay b:
        g = g + b p
        g = trust |p| / |g| g, unless |p| or |g| is 0
    Parameters of one axis keep g as it is. Then v = momentum v + g, and p = p - lr v, with v = 0
    at first. As in MoCo v3's `moco/optimizer.py`.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step. A closure is not supported."""
        if closure is not None:
            raise ValueError("LARS takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = _adapted(parameter, parameter.grad, group["weight_decay"])
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
                parameter.add_(velocity, alpha=-group["lr"])


def _adapted(parameter: Tensor, gradient: Tensor, decay: float) -> Tensor:
    if parameter.ndim < 2:
        return gradient
    gradient = gradient.add(parameter, alpha=decay)
    weight, slope = parameter.norm(), gradient.norm()
    rate = torch.where((weight > 0) & (slope > 0), TRUST * weight / slope, 1.0)
    return gradient * rate
