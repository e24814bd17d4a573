"""Projector files, and the network up to the layer whose representations are taken."""

from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import nn

from ssl_collapse.config.families import Method
from ssl_collapse.config.types import from_spec
from ssl_collapse.models.build import build_method
from ssl_collapse.models.encoder_file import load_encoder, read_encoder
from ssl_collapse.runtime.errors import UserError


def read_network(encoder: Path, projector: Path | None) -> tuple[nn.Module, dict[str, str], int]:
    """The network of an encoder file, or up to the end of its projector, in eval mode.

    Returns:
        The module, (N, 3, H, W) -> (N, D); the encoder's metadata, with the `failure` of either;
        and D.
    """
    backbone, metadata = read_encoder(encoder)
    dim = int(metadata["feature_dim"])
    if projector is None:
        return backbone, metadata, dim
    head, failure = _read_projector(projector, metadata)
    dim = int(head(torch.zeros(1, dim)).shape[1])
    if failure and "failure" not in metadata:
        metadata = {**metadata, "failure": failure}
    return nn.Sequential(backbone, head), metadata, dim


def _read_projector(path: Path, encoder: dict[str, str]) -> tuple[nn.Module, str | None]:
    weights, metadata = load_encoder(path)
    if metadata.get("source_digest") != encoder.get("source_digest"):
        raise UserError(
            f"{path}: is of another training or epoch than the encoder; "
            "delete it to export the projector again"
        )
    try:
        config = from_spec(TypeAdapter(Method), metadata["method"])
        module = build_method(nn.Identity(), int(metadata["feature_dim"]), config).projector
        if module is None:
            raise ValueError("its method has none")
        module.load_state_dict(weights)
    except (KeyError, ValueError, RuntimeError) as error:  # pydantic's ValidationError too
        raise UserError(
            f"{path}: not the projector of a method of this version ({error}); "
            "delete it to export the projector again"
        ) from None
    return module.eval().requires_grad_(False), metadata.get("failure")
