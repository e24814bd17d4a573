"""From training checkpoint to encoder file, and back to a module."""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.checkpoint_file import damaged_checkpoint, is_after, load_checkpoint
from ssl_collapse.models.encoder_file import save_encoder, weights_digest
from ssl_collapse.runtime.errors import UserError


def export_encoder(checkpoint: Path, output: Path, epoch: int) -> None:
    """Write the backbone of a training checkpoint, with what is needed to rebuild it.

    Its metadata say `failure` where the run had diverged by this epoch, or where the weights hold
    NaN or infinity. Raises UserError for a checkpoint of another epoch.
    """
    _export(checkpoint, output, epoch, "backbone")


def export_projector(checkpoint: Path, output: Path, epoch: int) -> None:
    """Write the projector of a training checkpoint, as `export_encoder` writes the backbone."""
    _export(checkpoint, output, epoch, "projector")


def _export(
    checkpoint: Path, output: Path, epoch: int, part: Literal["backbone", "projector"]
) -> None:
    spec, content = _opened(checkpoint, epoch)
    weights = {
        name.removeprefix(f"{part}."): tensor
        for name, tensor in content["model"].items()
        if name.startswith(f"{part}.")
    }
    failure = content.get("failure")
    if failure is None and not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        whose = "encoder" if part == "backbone" else part
        failure = f"the {whose}'s weights hold NaN or infinity after epoch {epoch}"
    _, feature_dim = build_backbone(spec.backbone)
    metadata = {
        "arch": spec.backbone.arch,
        "backbone": json.dumps(spec.backbone.to_spec(), sort_keys=True),
        "epoch": str(epoch),
        "feature_dim": str(feature_dim),
        "source_digest": weights_digest(content["model"]),
    }
    if part == "projector":
        metadata["method"] = json.dumps(spec.method.to_spec(), sort_keys=True)
    if failure:
        metadata["failure"] = failure
    save_encoder(output, weights, metadata)


def _opened(checkpoint: Path, epoch: int) -> tuple[PretrainSpec, dict[str, Any]]:
    content = load_checkpoint(checkpoint)
    try:
        spec = PretrainSpec.from_spec(content["recipe"])
    except (KeyError, TypeError, ValidationError):
        raise damaged_checkpoint(checkpoint, "it holds no recipe of this version") from None
    if not isinstance(content.get("model"), dict) or not isinstance(content.get("epoch"), int):
        raise damaged_checkpoint(checkpoint, "it holds no model and epoch")
    if not is_after(content, epoch):
        raise UserError(f"{checkpoint}: is after epoch {content['epoch']}, not {epoch}")
    return spec, content
