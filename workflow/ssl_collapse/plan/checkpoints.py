"""The files of a run of checkpoints, and the epoch that each of them says in its name."""

import glob
import os
import re
from pathlib import Path

from ssl_collapse.config.checkpoints import CheckpointRun

NO_EPOCH = 1  # of a single file whose name says none: trained, and not epoch 0
# epoch=12, epoch_12, epoch0100, ep100, checkpoint_0012, checkpoint-299, ckp-399, ckpt12
_EPOCH = re.compile(r"(?<![a-z])(?:epochs?|ep|e|checkpoint|ckpt|ckp)[=_.-]?(\d+)(?![a-z\d])", re.I)


class UnclearError(Exception):
    """The files of a run do not say what their epochs are; the message says what to do."""


def files_of(run: CheckpointRun) -> dict[int, Path]:
    """The checkpoint files by their epoch, in order.

    Raises UnclearError where there is none, or where names say no epoch, several, or the same.
    """
    pattern = run.pattern
    # Path.glob takes no pattern from the root, and Path.is_file fails where a path is too long
    matching = sorted(map(Path, glob.glob(str(pattern))))  # noqa: PTH207
    files = [pattern] if os.path.isfile(pattern) else matching  # noqa: PTH113
    if not files:
        raise UnclearError(f"no file {pattern}; `folder` says where files lie")
    epochs: dict[int, Path] = {}
    for path in files:
        epoch = _epoch_of(path, run, alone=len(files) == 1)
        if epoch in epochs:
            raise UnclearError(f"{epochs[epoch]} and {path} are both of epoch {epoch}; keep one")
        epochs[epoch] = path
    return dict(sorted(epochs.items()))


def analyzed_epochs(run: CheckpointRun) -> list[int]:
    """The epochs to analyse, in order. Raises UnclearError for one that has no file."""
    files = files_of(run)
    last = max(files)
    wanted = sorted({last if e == "last" else e for e in run.analyze or files})
    if missing := [epoch for epoch in wanted if epoch and epoch not in files]:
        there = ", ".join(map(str, files))
        raise UnclearError(f"analyze asks for epoch {missing[0]}, and there are files of {there}")
    return wanted


def _epoch_of(path: Path, run: CheckpointRun, alone: bool) -> int:
    said = {int(number) for number in _EPOCH.findall(path.name)}
    if len(said) > 1:
        numbers = " and ".join(map(str, sorted(said)))
        raise UnclearError(f"the name of {path} says epochs {numbers}; give it one, by a link say")
    if not said:
        if alone:
            return NO_EPOCH
        raise UnclearError(
            f"the name of {path} says no epoch, as epoch=12, epoch0012 or checkpoint_0012 do; "
            "rename it, or leave it out of the pattern"
        )
    epoch = said.pop() + 1 - run.count_from
    if epoch == 0:
        raise UnclearError(
            f"{path} is of epoch 0, which is the network before training; set `count_from: 0` "
            "where the first epoch is called 0"
        )
    return epoch
