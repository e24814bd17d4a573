"""Encoder files: a backbone's weights as safetensors, with what is needed to rebuild it."""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

import safetensors
from pydantic import TypeAdapter
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ssl_collapse.config.evaluation import FullProbeSpec, RepresentSpec, ViewMeasuresSpec
from ssl_collapse.config.families import Backbone
from ssl_collapse.config.types import from_spec
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.checkpoint_file import first_line
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path

ENCODER_FORMAT = "1"
Prepared = TypeVar("Prepared", RepresentSpec, FullProbeSpec, ViewMeasuresSpec)


def save_encoder(path: Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a backbone's state dict as safetensors with its metadata."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(
            _sorted_header(save(tensors, {**metadata, "format_version": ENCODER_FORMAT}))
        )


def _sorted_header(content: bytes) -> bytes:
    # safetensors writes the metadata in the order of a hash map, which changes from process to
    # process; equal encoders must be equal files.
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start on 8-byte boundaries
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def load_encoder(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read an encoder's state dict and metadata."""
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
        weights = load_file(str(path))
    except Exception as error:
        raise UserError(
            f"{path}: not a readable safetensors file ({first_line(error)}); "
            "delete it to export the encoder again"
        ) from None
    if metadata.get("format_version") != ENCODER_FORMAT:
        raise UserError(
            f"{path}: encoder format {metadata.get('format_version')!r} is unknown; "
            f"this version reads {ENCODER_FORMAT}"
        )
    return weights, metadata


def weights_digest(weights: dict[str, Tensor]) -> str:
    """sha256 over names, dtypes, shapes and bytes of a state dict, in sorted order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_encoder(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """Rebuild the backbone of an encoder file, in eval mode: (N, 3, H, W) -> (N, feature_dim)."""
    weights, metadata = load_encoder(path)
    missing = [key for key in ("backbone", "arch", "epoch", "feature_dim") if key not in metadata]
    if missing:
        raise UserError(f"{path}: does not say its {missing[0]}; not made by `export_checkpoint`")
    try:
        config = from_spec(TypeAdapter(Backbone), metadata["backbone"])
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


def prepared(spec: Prepared, metadata: dict[str, str]) -> Prepared:
    """How images are prepared for an encoder: as `spec` says, and as an imported encoder needs."""
    needed = json.loads(metadata.get("preprocessing", "{}"))
    if not needed:
        return spec
    try:
        known = {key: value for key, value in needed.items() if key in type(spec).model_fields}
        return type(spec).model_validate({**dict(spec), **known})
    except ValueError as error:  # pydantic's ValidationError too
        text = first_line(error) if not hasattr(error, "errors") else error.errors()[0]["msg"]
        raise UserError(f"the images cannot be prepared as this encoder needs: {text}") from None
