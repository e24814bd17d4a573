"""From training checkpoint to encoder file, and back to a module."""

import json
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from ssl_collapse.config.families import Backbone
from ssl_collapse.config.training import PretrainSpec
from ssl_collapse.errors import UserError
from ssl_collapse.models.build import build_backbone
from ssl_collapse.storage.checkpoint import (
    damaged_checkpoint,
    is_after,
    load_checkpoint,
    load_encoder,
    save_encoder,
    weights_digest,
)

_PREFIX = "backbone."


def export_encoder(checkpoint: Path, output: Path, epoch: int) -> None:
    """Write the backbone of a training checkpoint, with what is needed to rebuild it.

    Its metadata say `failure` where the run had diverged by this epoch, or where the weights hold
    NaN or infinity. Raises UserError for a checkpoint of another epoch.
    """
    content = load_checkpoint(checkpoint)
    model = content.get("model")
    try:
        spec = PretrainSpec.model_validate_json(content["recipe"])
    except (KeyError, TypeError, ValidationError):
        raise damaged_checkpoint(checkpoint, "it holds no recipe of this version") from None
    if not isinstance(model, dict) or not isinstance(content.get("epoch"), int):
        raise damaged_checkpoint(checkpoint, "it holds no model and epoch")
    if not is_after(content, epoch):
        raise UserError(f"{checkpoint}: is after epoch {content['epoch']}, not {epoch}")
    weights = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in model.items()
        if name.startswith(_PREFIX)
    }
    failure = content.get("failure")
    if failure is None and not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        failure = f"the encoder's weights hold NaN or infinity after epoch {epoch}"
    _, feature_dim = build_backbone(spec.backbone)
    metadata = {
        "arch": spec.backbone.arch,
        "backbone": json.dumps(spec.backbone.model_dump(), sort_keys=True),
        "epoch": str(epoch),
        "feature_dim": str(feature_dim),
        "source_digest": weights_digest(model),
        **({"failure": failure} if failure else {}),
    }
    save_encoder(output, weights, metadata)


def read_encoder(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """Rebuild the backbone of an encoder file, in eval mode: (N, 3, H, W) -> (N, feature_dim)."""
    weights, metadata = load_encoder(path)
    missing = [key for key in ("backbone", "arch", "epoch", "feature_dim") if key not in metadata]
    if missing:
        raise UserError(f"{path}: does not say its {missing[0]}; not made by `export_checkpoint`")
    try:
        config = TypeAdapter(Backbone).validate_json(metadata["backbone"])
        int(metadata["epoch"]), int(metadata["feature_dim"])
    except ValueError:  # pydantic's ValidationError too
        raise UserError(
            f"{path}: its metadata are not of this version; delete it to export the encoder again"
        ) from None
    backbone, _ = build_backbone(config)
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: weights do not fit arch {metadata['arch']}: {error}") from None
    return backbone.eval().requires_grad_(False), metadata
