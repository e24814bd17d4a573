"""Runs that were trained elsewhere: files of representations, or of a spectrum alone."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from ssl_collapse.config.types import Folder, Percent, StrictModel


class SplitFiles(StrictModel):
    """A file for each split."""

    train: Folder
    """File of the training images."""
    val: Folder | None = None
    """File of the images that k-NN classifies; null: no k-NN."""


class FileRun(StrictModel):
    """A run that is files: measured as they are, in place of one epoch of a training."""

    representations: SplitFiles | None = None
    """Files of representations (.h5, .npz, .npy, .pt, .safetensors) instead of a recipe."""
    targets: SplitFiles | None = None
    """Files of the class of every row, where those of `representations` hold none."""
    spectrum: Folder | None = None
    """File of singular values (.pt, .npy, .npz, .h5, .safetensors, .csv) instead of a recipe."""
    folder: Folder | None = None
    """Folder that the paths of files start from; null: where Snakemake runs."""
    share: Percent | None = None
    """Percent of the training images that the encoder has seen, for tables and figures."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.representations is None) == (self.spectrum is None):
            raise ValueError("give either `representations` or `spectrum`")
        if self.targets is None:
            return self
        if self.representations is None:
            raise ValueError("`targets` go with `representations`, not with `spectrum`")
        if (self.targets.val is None) != (self.representations.val is None):
            raise ValueError("`targets` and `representations` need the same splits")
        return self

    @property
    def has_val(self) -> bool:
        """Whether there is something to classify."""
        return self.representations is not None and self.representations.val is not None

    def path(self, key: str, split: str = "") -> Path | None:
        """Where a file lies: of `spectrum`, or of a split of `representations` or `targets`."""
        files = getattr(self, key)
        name = getattr(files, split) if split and files else files
        if name is None:
            return None
        return Path(self.folder or "").expanduser() / Path(name).expanduser()


KINDS = {"representations", "spectrum"}  # a run with one of these keys is files
