"""Training checkpoints and encoders, as files that never execute code when read."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, cast

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from ssl_collapse.errors import UserError
from ssl_collapse.storage.atomic import atomic_path

ENCODER_FORMAT = "1"
DIVERGED = "diverged.pt"  # the state in which a training's loss stopped being finite


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint of tensors and plain values; equal content gives equal bytes."""
    # Saved to an open file, the archive inside has a fixed base name, whatever the path.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(_canonical(content), file)


def _canonical(content: Any) -> Any:
    """The same content without shared objects: pickle writes a shared object once, so that equal
    content would give other bytes after a resume, when the sharing is another."""
    if isinstance(content, dict):
        return {_canonical(key): _canonical(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(_canonical(value) for value in content)
    if isinstance(content, Tensor):
        return content.detach().cpu().clone()
    return sys.intern(content) if isinstance(content, str) else content


def checkpoint_after(folder: Path, epoch: int) -> Path:
    """The checkpoint after `epoch` epochs; for a run that had diverged by then, its failing state.

    The content of the latter has a `failure`, the text that says what happened.
    """
    regular, failing = folder / f"epoch{epoch:04d}.pt", folder / DIVERGED
    return failing if failing.is_file() and not regular.is_file() else regular


def is_after(content: dict[str, Any], epoch: int) -> bool:
    """Whether a checkpoint is that after `epoch` epochs, or the failing state of an earlier one."""
    found = content.get("epoch", -1)
    return bool(found < epoch if "failure" in content else found == epoch)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`: a pickle that would run code is refused."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such checkpoint; delete its folder to train the run again")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise damaged_checkpoint(path, f"cannot be read: {_first_line(error)}") from None
    if not isinstance(content, dict):
        raise damaged_checkpoint(path, f"it holds a {type(content).__name__}")
    return cast(dict[str, Any], content)


def damaged_checkpoint(path: Path, reason: str) -> UserError:
    """What to say of a file that should be a checkpoint, and how to get another."""
    return UserError(
        f"{path}: not a readable checkpoint of this run ({reason}); "
        "delete its folder to train the run again"
    )


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
            f"{path}: not a readable safetensors file ({_first_line(error)}); "
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


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
