"""What may be taken from other users."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from ssl_collapse.provenance.harmless import is_harmless


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_a_checkpoint_as_trainings_write_it(tmp_path: Path, optimizer: type):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = optimizer(model.parameters(), lr=0.1)
    model(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": torch.get_rng_state(),
        "recipe": "{}",
        "epoch": 1,
    }
    torch.save(content, tmp_path / "epoch0001.pt")
    assert is_harmless(tmp_path / "epoch0001.pt", ".pt")


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/evil",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_checkpoint_that_calls_a_function(tmp_path: Path, protocol: int):
    file = tmp_path / "epoch0001.pt"
    torch.save({"model": Evil()}, file, pickle_protocol=max(protocol, 2))
    assert not is_harmless(file, ".pt")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(), protocol))
    assert not is_harmless(file, ".pt")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", pickle.dumps(Evil()), b"\x80\x02cos\nsystem\n."]
)
def test_no_checkpoint_at_all(tmp_path: Path, content: bytes):
    (tmp_path / "x.pt").write_bytes(content)
    assert not is_harmless(tmp_path / "x.pt", ".pt")


@pytest.mark.parametrize(("kind", "answer"), [(".csv", True), (".h5", True), (".html", False)])
def test_other_formats_by_their_kind(tmp_path: Path, kind: str, answer: bool):
    assert is_harmless(tmp_path / "x", kind) is answer
    assert not is_harmless(tmp_path / "x", "") and not is_harmless(tmp_path / "x", ".pkl")
