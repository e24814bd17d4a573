"""The linear probe's cheap mode: on stored representations, without augmentation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssl_collapse.config.evaluation import ProbeSpec
from ssl_collapse.evaluation.probe import (
    FailedSource,
    Probe,
    describe,
    describe_failed,
    epoch_batches,
    write_classifier,
)
from ssl_collapse.representations.file import Representations
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.saved_state import SavedState

READ_ROWS = 65536


class CachedFeatures:
    """The representations of two files, in memory as float32: 4 N D bytes each."""

    def __init__(
        self,
        train: Representations,
        val: Representations,
        spec: ProbeSpec,
        num_classes: int | None = None,
    ) -> None:
        """`num_classes` is for files that do not state it. UserError if the files do not agree."""
        check_files(train, val)
        self.num_classes, self.classes_from = class_count(train, val, num_classes)
        self.spec, self.dim, self.n_train, self.n_val = spec, train.dim, train.n, val.n
        self.same_file = train.is_same(val)
        self.encoder_sha256 = train.attrs.get("encoder_sha256")
        self._train, self._val = _load(train), _load(val)

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See FeatureSource."""
        features, targets = self._train
        for rows in epoch_batches(self.spec, self.n_train, epoch)[first_step:]:
            chosen = torch.from_numpy(rows)
            yield features[chosen], targets[chosen]

    def validation(self) -> tuple[Tensor, Tensor]:
        """See FeatureSource."""
        return self._val


def failed_files(
    train: Representations, val: Representations, spec: ProbeSpec, num_classes: int | None = None
) -> dict[str, Any] | None:
    """What probe.json holds if `represent` has marked one of the files as failed, else None."""
    failure = train.failure or val.failure
    if failure is None:
        return None
    check_files(train, val)
    classes, _ = class_count(train, val, num_classes)
    return describe_failed(FailedSource(train.dim, classes, train.n, val.n), spec, failure)


def probe_cached(
    source: CachedFeatures,
    device: torch.device,
    state: SavedState | None = None,
    classifier: Path | None = None,
) -> dict[str, Any]:
    """Train and score a probe; returns what probe.json holds. `classifier`: where it is written."""
    probe = Probe(source, source.spec, device, state)
    probe.resume()
    content = describe(source, source.spec, probe.run())
    if classifier:
        write_classifier(classifier, probe.classifier)
    content["protocol"] |= {
        "num_classes_from": source.classes_from,
        "features": "stored representations, as they are: no augmentation, no normalisation",
        "encoder_sha256": source.encoder_sha256,
    }
    note = "train and val are the same file: these are accuracies on the training rows"
    content["notes"] = [note] if source.same_file else []
    return content


def check_files(train: Representations, val: Representations) -> None:
    """Raise UserError if the two files are of different encoders or datasets."""
    if train.dim != val.dim:
        raise UserError(
            f"{val.path}: has {val.dim} dimensions, but {train.path} has {train.dim}; "
            "both must come from the same encoder"
        )
    _check_same(train, val, "encoder_sha256", "encoder")
    _check_same(train, val, "dataset_fingerprint", "dataset")


def _check_same(train: Representations, val: Representations, key: str, what: str) -> None:
    stated = [file.attrs[key] for file in (train, val) if key in file.attrs]
    if len(set(stated)) == 2:
        raise UserError(
            f"{val.path}: comes from another {what} than {train.path} ({key} differs); "
            "take the representations of both again"
        )


def class_count(train: Representations, val: Representations, given: int | None) -> tuple[int, str]:
    """The number of classes, and where it is from."""
    stated = {file.num_classes for file in (train, val) if "num_classes" in file.attrs}
    if len(stated) == 2:
        raise UserError(
            f"{val.path}: states num_classes {val.num_classes}, but {train.path} states "
            f"{train.num_classes}; both must come from the same dataset"
        )
    if given is not None and stated and given not in stated:
        raise UserError(f"--num-classes {given}: the files state {stated.pop()}; leave it out")
    for file in (train, val):
        largest = int(file.labels().max())
        known = next(iter(stated), given)
        if known is not None and largest >= known:
            raise UserError(f"{file.path}: 'targets' has label {largest} of {known} classes")
    if stated:
        return stated.pop(), "the files"
    if given is not None:
        return given, "the command line"
    largest = max(int(file.labels().max()) for file in (train, val))
    return largest + 1, "the largest label of both files plus one, since neither states it"


def _load(file: Representations) -> tuple[Tensor, Tensor]:
    rows = np.empty((file.n, file.dim), dtype=np.float32)
    start = 0
    for chunk in file.chunks(READ_ROWS):
        rows[start : start + len(chunk)] = chunk
        start += len(chunk)
    return torch.from_numpy(rows), torch.from_numpy(file.labels())
