"""Files that are data and nothing else, whatever reads them: what may be taken from other users.

PyTorch's files are pickles, which can call any function. One that names only what tensors are
rebuilt by is data; our own code loads no other (`weights_only=True`), others' may.
"""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

_DATA = {".csv", ".json", ".txt", ".npy", ".h5", ".safetensors", ".png"}  # no .html, no .pdf
_TENSORS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    *(
        f"torch {kind}Storage"
        for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte")
    ),
    "torch BoolStorage",
}
_LARGEST = 100_000_000  # bytes of the pickle in a checkpoint, which holds no numbers


def is_harmless(path: Path, kind: str) -> bool:
    """Whether a file is only data to whatever reads files of this kind (".csv", ".pt", ...)."""
    if kind == ".pt":
        try:
            return all(name in _TENSORS for name in _names(path))
        except (OSError, ValueError, zipfile.BadZipFile, IndexError, KeyError):
            return False
    return kind in _DATA


def _names(path: Path) -> Iterator[str]:
    """What the pickles of a checkpoint name: "module name"; "?" for what shows only in running."""
    with zipfile.ZipFile(path) as archive:
        pickles = [item for item in archive.infolist() if item.filename.endswith(".pkl")]
        if len(pickles) != 1 or pickles[0].file_size > _LARGEST:
            raise ValueError(f"{path} is no checkpoint")
        for operation, argument, _ in pickletools.genops(archive.read(pickles[0])):
            if operation.name == "GLOBAL":
                yield str(argument)
            elif operation.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
                yield "?"
