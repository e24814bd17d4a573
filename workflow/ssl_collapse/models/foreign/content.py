"""What is in a checkpoint file: tensors and plain values, read without running anything."""

import argparse
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from ssl_collapse.models.checkpoint_file import first_line
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.folders import refuse_irregular

Tensors = dict[str, Tensor]
SAFETENSORS = ".safetensors"
WRAPPERS = ("module.", "_orig_mod.")  # put before every name by DDP and torch.compile
# Entries that may hold weights, here and in the recipe to save a file again.
KEPT = (
    "state_dict_ema", "model_ema", "state_dict", "model", "teacher", "student", "target_encoder",
    "encoder", "classy_state_dict", "model_state_dict", "epoch", "arch", "meta",
)  # fmt: skip


def read_content(path: Path) -> dict[str, Any]:
    """The entries of a .pt, .pth, .ckpt or .tar file, or the tensors of a .safetensors file.

    `weights_only=True`: a pickle that would run code is refused by the name of what blocks it.
    `argparse.Namespace`, which timm, DINO and MAE save their arguments in, is let through: it holds
    values by names and runs nothing. UserError for what cannot be read.
    """
    try:
        refuse_irregular(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if path.suffix == SAFETENSORS:
        try:
            return dict(load_file(str(path)))
        except Exception as error:
            raise UserError(
                f"{path}: not a readable safetensors file ({first_line(error)})"
            ) from None
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if blocking := _blocking(path, error):
            raise UserError(_needs_more(path, blocking)) from None
        reason = first_line(error)
        # the one goes on to advise to read it unsafely, the other speaks of unpickling
        if reason.startswith("Weights only load failed") or not zipfile.is_zipfile(path):
            reason = (
                "no file of torch.save, or not all of it: perhaps cut short, a web page, a git-lfs "
                "pointer or another pickle"
            )
        raise UserError(f"{path}: not a readable checkpoint ({reason})") from None
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: holds a {type(content).__name__}, and no tensors by name")
    return dict(content)


def metadata_of(path: Path) -> dict[str, str]:
    """The texts in the header of a safetensors file; none of another file."""
    if path.suffix != SAFETENSORS or not path.is_file():
        return {}
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            return file.metadata() or {}
    except Exception:  # `read_content` says what is wrong with it
        return {}


def json_beside(path: Path, name: str) -> dict[str, Any]:
    """The object in a JSON file beside the weights; empty if there is none."""
    try:
        content = json.loads(path.with_name(name).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def tensors_at(content: Mapping[str, Any], place: str) -> Tensors:
    """The tensors of the entry at `place` ("a.b"; "": the file itself), without wrappers' prefixes.

    Empty where there is no such entry.
    """
    entry: Any = content
    for key in filter(None, place.split(".")):
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping):
        return {}
    return {
        _unwrapped(name): tensor
        for name, tensor in entry.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }


def _unwrapped(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.partition(".")[2]
    return name


def _blocking(path: Path, error: Exception) -> list[str]:
    """Names of the classes and functions that a file wants to call; none if it is not that."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # no zip file: older files are pickles alone
        return re.findall(r"GLOBAL ([\w.]+)", str(error))[:1]


def _needs_more(path: Path, blocking: list[str]) -> str:
    again = path.with_name(f"{path.stem}-weights.pt").name
    return (
        f"{path}: reading it would call {', '.join(blocking)}, and files are read without calling "
        "anything. If you trust who made it, save the weights alone, in Python where the source's "
        "packages are:\n"
        f"  c = torch.load({path.name!r}, map_location='cpu', weights_only=False)\n"
        f"  torch.save(c.state_dict() if hasattr(c, 'state_dict') else "
        f"{{k: c[k] for k in c if k in {KEPT} or torch.is_tensor(c[k])}}, {again!r})"
    )
