"""The projector beside its encoder: exported, rebuilt, and refused where it is another's."""

from pathlib import Path

import pytest
import torch
from toy import pretrain_spec

from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.models.checkpoint_file import save_checkpoint
from ssl_collapse.models.projector_file import read_network
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.export import export_encoder, export_projector


def export(folder: Path, seed: int, break_projector: bool = False) -> torch.nn.Module:
    """The model whose checkpoint after epoch 1 is exported to `folder`."""
    folder.mkdir()
    torch.manual_seed(seed)
    spec = pretrain_spec()
    backbone, dim = build_backbone(spec.backbone)
    model = build_method(backbone, dim, spec.method).train()
    model(torch.randn(8, 3, 8, 8), torch.randn(8, 3, 8, 8))  # statistics of the norms
    if break_projector:
        torch.nn.init.constant_(model.projector[0].weight, float("nan"))
    content = {"epoch": 1, "recipe": spec.to_spec_json(), "model": model.state_dict()}
    save_checkpoint(folder / "checkpoint.pt", content)
    export_encoder(folder / "checkpoint.pt", folder / "encoder.safetensors", 1)
    export_projector(folder / "checkpoint.pt", folder / "projector.safetensors", 1)
    return model.eval()


def test_the_network_to_the_end_of_the_projector_is_that_of_training(tmp_path: Path) -> None:
    model = export(tmp_path / "a", seed=0)
    encoder, projector = (tmp_path / "a" / f"{n}.safetensors" for n in ("encoder", "projector"))
    network, metadata, dim = read_network(encoder, projector)
    images = torch.randn(5, 3, 8, 8)
    assert torch.equal(network(images), model.projector(model.backbone(images)))
    assert (dim, "failure" in metadata) == (8, False)
    backbone, _, dim = read_network(encoder, None)
    assert torch.equal(backbone(images), model.backbone(images))
    assert dim == backbone(images).shape[1]


def test_a_projector_of_another_training_is_refused(tmp_path: Path) -> None:
    export(tmp_path / "a", seed=0)
    export(tmp_path / "b", seed=1)
    with pytest.raises(UserError, match="of another training or epoch"):
        read_network(tmp_path / "a/encoder.safetensors", tmp_path / "b/projector.safetensors")
    with pytest.raises(UserError, match="not the projector"):
        read_network(tmp_path / "a/encoder.safetensors", tmp_path / "a/encoder.safetensors")


def test_a_projector_that_holds_nan_says_so_and_its_encoder_does_not(tmp_path: Path) -> None:
    export(tmp_path / "a", seed=0, break_projector=True)
    encoder, projector = (tmp_path / "a" / f"{n}.safetensors" for n in ("encoder", "projector"))
    assert "the projector's weights hold NaN" in read_network(encoder, projector)[1]["failure"]
    assert "failure" not in read_network(encoder, None)[1]
