"""Counts the operations that are asked of torch."""

from collections import Counter
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Counting(TorchDispatchMode):
    """Counts what is asked of the device, views of tensors included."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        self.asked[function._schema.name.removeprefix("aten::")] += 1
        return function(*args, **(kwargs or {}))
