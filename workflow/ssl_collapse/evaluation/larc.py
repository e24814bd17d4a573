"""LARC, the reference's optimiser of the linear probe: SGD with a rate of its own per parameter.

BYOL's and MoCo's LARS is another optimiser: it leaves parameters of one dimension alone.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

EPS = 1e-8


class Larc(torch.optim.SGD):
    """Layer-wise adaptive rate control as in NVIDIA apex (`LARC(SGD, trust, clip=False)`).

    For every parameter p, biases included, with gradient g and weight decay b:
        rate = trust |p| / (|g| + b |p| + eps), unless |p| or |g| is 0
        g = rate (g + b p)
    and then a step of SGD with momentum, without weight decay. Where |p| or |g| is 0, that step
    takes g as it is: a bias that starts at zero is adapted from its second step on.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum)
        self.decay, self.trust = weight_decay, trust

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; the gradients at hand are overwritten. A closure is not supported."""
        if closure is not None:
            raise ValueError("LARC takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad = self._adapted(parameter, parameter.grad)
        super().step()

    def _adapted(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        weight, slope = parameter.norm(), gradient.norm()
        rate = self.trust * weight / (slope + self.decay * weight + EPS)
        adapted = (gradient + self.decay * parameter) * rate
        return torch.where((weight > 0) & (slope > 0), adapted, gradient)
