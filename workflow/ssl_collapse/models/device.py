"""Which device a job computes on."""

import os

import torch

from ssl_collapse.errors import UserError


def choose_device(name: str) -> torch.device:
    """The device that `runtime.device` names; `auto` takes a GPU when there is one.

    An operation gets one CPU thread, whatever the machine: the order of floating-point sums
    depends on the number of threads, and a result must not. Jobs run side by side instead.
    """
    torch.set_num_threads(1)
    rank = os.environ.get("LOCAL_RANK")  # set by torchrun, for one process per GPU
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("runtime.device is `cuda` but no GPU is visible; use `auto` or `cpu`")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(f"cuda:{rank}" if name == "cuda" and rank else name)
