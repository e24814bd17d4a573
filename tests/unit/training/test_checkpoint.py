"""Checkpoints and encoders: equal bytes for equal content, and what cannot be read is named."""

from pathlib import Path

import pytest
import torch

from ssl_collapse.models.checkpoint_file import (
    DIVERGED,
    checkpoint_after,
    is_after,
    load_checkpoint,
    save_checkpoint,
)
from ssl_collapse.models.encoder_file import load_encoder, save_encoder, weights_digest
from ssl_collapse.runtime.errors import UserError

WEIGHTS = {"b": torch.arange(3.0), "a": torch.zeros(2, 2, dtype=torch.int64)}


def test_a_checkpoint_has_the_same_bytes_under_any_name(tmp_path: Path):
    save_checkpoint(tmp_path / "one.pt", {"epoch": 1, "model": WEIGHTS})
    save_checkpoint(tmp_path / "another_name.pt", {"epoch": 1, "model": WEIGHTS})
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another_name.pt").read_bytes()
    assert load_checkpoint(tmp_path / "one.pt")["epoch"] == 1


def test_encoders_have_the_same_bytes_whatever_the_order_of_the_metadata(tmp_path: Path):
    # safetensors itself writes metadata in the order of a hash map: try many keys
    metadata = {f"key{i}": str(i) for i in range(20)}
    save_encoder(tmp_path / "a", WEIGHTS, metadata)
    save_encoder(tmp_path / "b", WEIGHTS, dict(reversed(metadata.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    weights, read = load_encoder(tmp_path / "a")
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in WEIGHTS.items())
    assert read["key7"] == "7"


def test_the_digest_sees_names_values_and_types():
    digest = weights_digest(WEIGHTS)
    assert digest == weights_digest(dict(reversed(WEIGHTS.items())))
    assert digest != weights_digest({**WEIGHTS, "b": torch.arange(3.0) + 1})
    assert digest != weights_digest({**WEIGHTS, "b": torch.arange(3.0).double()})
    assert digest != weights_digest({"a": WEIGHTS["a"], "c": WEIGHTS["b"]})


def test_missing_truncated_and_foreign_files_are_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"missing\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "missing.pt")
    save_checkpoint(tmp_path / "whole.pt", {"model": WEIGHTS})
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:500])
    with pytest.raises(UserError, match=r"cut\.pt: not a readable checkpoint"):
        load_checkpoint(tmp_path / "cut.pt")
    save_encoder(tmp_path / "encoder", WEIGHTS, {})
    (tmp_path / "cut").write_bytes((tmp_path / "encoder").read_bytes()[:60])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_encoder(tmp_path / "cut")


def test_after_a_failure_the_checkpoint_is_the_failing_state(tmp_path: Path):
    (tmp_path / "epoch0001.pt").touch()
    with pytest.raises(UserError, match=r"epoch0002\.pt: no such checkpoint; delete its folder"):
        checkpoint_after(tmp_path, 2)
    (tmp_path / DIVERGED).touch()
    names = [checkpoint_after(tmp_path, epoch).name for epoch in (1, 2)]
    assert names == ["epoch0001.pt", DIVERGED]
    assert is_after({"epoch": 2}, 2) and not is_after({"epoch": 2}, 3)
    # failed after one epoch: the state of every epoch from the second on
    failed = {"epoch": 1, "failure": "the loss is nan"}
    assert [is_after(failed, epoch) for epoch in (1, 2, 3)] == [False, True, True]
