"""Training checkpoints and states: files that never execute code when read."""

import sys
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path

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


def checkpoint_name(epoch: int) -> str:
    """The name of the checkpoint after `epoch` epochs; 0 is the network before training."""
    return f"epoch{epoch:04d}.pt"


def checkpoint_after(folder: Path, epoch: int) -> Path:
    """The checkpoint after `epoch` epochs; for a run that had diverged by then, its failing state.

    The content of the latter has a `failure`, the text that says what happened. UserError where
    there is neither.
    """
    for name in (checkpoint_name(epoch), DIVERGED):
        if (folder / name).exists():
            return folder / name
    raise missing_checkpoint(folder / checkpoint_name(epoch))


def is_after(content: dict[str, Any], epoch: int) -> bool:
    """Whether a checkpoint is that after `epoch` epochs, or the failing state of an earlier one."""
    found = content.get("epoch", -1)
    return bool(found < epoch if "failure" in content else found == epoch)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`: a pickle that would run code is refused."""
    if not Path(path).is_file():
        raise missing_checkpoint(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise damaged_checkpoint(path, f"cannot be read: {first_line(error)}") from None
    if not isinstance(content, dict):
        raise damaged_checkpoint(path, f"it holds a {type(content).__name__}")
    return cast(dict[str, Any], content)


def missing_checkpoint(path: Path) -> UserError:
    """What to say of a checkpoint that is not there."""
    return UserError(f"{path}: no such checkpoint; delete its folder to train the run again")


def damaged_checkpoint(path: Path, reason: str) -> UserError:
    """What to say of a file that should be a checkpoint, and how to get another."""
    return UserError(
        f"{path}: not a readable checkpoint of this run ({reason}); "
        "delete its folder to train the run again"
    )


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its type where it has none."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
