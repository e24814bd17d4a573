"""From training checkpoint to encoder file, and back to a module."""

import json
from pathlib import Path

import torch
from pydantic import ValidationError

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.checkpoint_file import damaged_checkpoint, is_after, load_checkpoint
from ssl_collapse.models.encoder_file import save_encoder, weights_digest
from ssl_collapse.runtime.errors import UserError

_PREFIX = "backbone."


def export_encoder(checkpoint: Path, output: Path, epoch: int) -> None:
    """Write the backbone of a training checkpoint, with what is needed to rebuild it.

    Its metadata say `failure` where the run had diverged by this epoch, or where the weights hold
    NaN or infinity. Raises UserError for a checkpoint of another epoch.
    """
    content = load_checkpoint(checkpoint)
    model = content.get("model")
    try:
        spec = PretrainSpec.from_spec(content["recipe"])
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
        "backbone": json.dumps(spec.backbone.to_spec(), sort_keys=True),
        "epoch": str(epoch),
        "feature_dim": str(feature_dim),
        "source_digest": weights_digest(model),
        **({"failure": failure} if failure else {}),
    }
    save_encoder(output, weights, metadata)
