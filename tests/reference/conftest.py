"""A checkout of the authors' code for each test, or a line that there is none."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from authors_code import Reference
from torch import nn


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reference]:
    folder = os.environ.get("REFERENCE_DIR")
    if not folder:
        pytest.skip(
            "REFERENCE_DIR is not set: the folder of a checkout of the authors' code, "
            "github.com/alexlioralexli/noncontrastive-ssl"
        )
    for owner in (torch.Tensor, nn.Module):
        monkeypatch.setattr(owner, "cuda", lambda self, *_, **__: self)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    for key in ("benchmark", "deterministic"):  # it sets them; put back afterwards
        monkeypatch.setattr(torch.backends.cudnn, key, getattr(torch.backends.cudnn, key))
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    checkout = Reference(Path(folder).resolve(), tmp_path, monkeypatch)
    yield checkout
    checkout.forget()


@pytest.fixture
def in_float64() -> Iterator[None]:
    """Two codes that add up in another order agree to 1e-9 and better there."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
