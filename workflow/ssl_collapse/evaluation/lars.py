"""LARS: SGD whose step in every layer is a fixed fraction of the layer's weights."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Lars(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, arXiv 1708.03888).

    For a weight w with gradient g, momentum m and weight decay b:
        d = g + b w;  d *= trust |w| / |d|, unless |w| or |d| is 0
        v = m v + d;  w -= lr v
    Parameters of one dimension (biases, batch norm) take neither weight decay nor the factor, as
    in BYOL and MoCo v3.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step with the gradients at hand; a closure is not supported."""
        if closure is not None:
            raise ValueError("LARS takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        direction = parameter.grad
        if parameter.ndim > 1:
            direction = direction.add(parameter, alpha=group["weight_decay"])
            weight, step = parameter.norm(), direction.norm()
            scale = torch.where((weight > 0) & (step > 0), group["trust"] * weight / step, 1.0)
            direction = direction * scale
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(direction)
        parameter.add_(velocity, alpha=-group["lr"])
