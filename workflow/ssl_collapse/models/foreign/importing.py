"""From a checkpoint file of another project to an encoder file of this one."""

import json
import logging
from pathlib import Path

import torch

from ssl_collapse.config.checkpoints import ImportEncoderSpec
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.encoder_file import save_encoder
from ssl_collapse.models.foreign.encoder import ForeignEncoder, read_foreign
from ssl_collapse.models.foreign.preprocessing import Preprocessing
from ssl_collapse.runtime.errors import UserError

logger = logging.getLogger("ssl_collapse")


def import_encoder(path: Path, spec: ImportEncoderSpec, output: Path) -> None:
    """Write the encoder of a checkpoint file with what is needed to rebuild and to feed it.

    Of epoch 0 the file gives the architecture alone: its weights are drawn from `spec.seed`. The
    metadata say `failure` where weights hold NaN or infinity. UserError for a file whose encoder
    or preprocessing is not determined.
    """
    encoder = read_foreign(path, spec.backbone)
    preprocessing = resolved(encoder, Preprocessing.from_values(spec.preprocessing.to_spec()), path)
    logger.info("%s", encoder.said)
    if encoder.epoch is not None:
        logger.info("the file itself says epoch %d", encoder.epoch)
    logger.info("images are prepared so: %s", preprocessing.to_json())
    module, failure = encoder.module, None
    if spec.epoch == 0:
        torch.manual_seed(spec.seed)
        module, _ = build_backbone(encoder.backbone)
        logger.info("its weights are random: epoch 0 is the network before training")
    weights = module.state_dict()
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        failure = f"the encoder's weights hold NaN or infinity after epoch {spec.epoch}"
    metadata = {
        "arch": str(getattr(encoder.backbone, "arch", "")),
        "backbone": json.dumps(encoder.backbone.to_spec(), sort_keys=True),
        "epoch": str(spec.epoch),
        "feature_dim": str(encoder.feature_dim),
        "pooling": encoder.pooling,
        "preprocessing": preprocessing.to_json(),
        "source": encoder.said,
        "source_digest": spec.checkpoint,
        **({"failure": failure} if failure else {}),
    }
    save_encoder(output, weights, metadata)


def resolved(encoder: ForeignEncoder, written: Preprocessing, path: Path) -> Preprocessing:
    """What was written, else what file and source say; UserError where neither normalises."""
    whole = encoder.preprocessing.under(written)
    if whole.mean is None or whole.std is None:
        raise UserError(
            f"{path}: {encoder.said}: its source does not say how images are normalised; give "
            "`preprocessing: {mean: [R, G, B], std: [R, G, B]}` (ImageNet's are "
            "[0.485, 0.456, 0.406] and [0.229, 0.224, 0.225])"
        )
    return whole
