"""Train a linear classifier on frozen features, and report its top-1 and top-5 accuracy."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ssl_collapse.config.evaluation import FullProbeSpec, ProbeSpec
from ssl_collapse.evaluation.probe import describe_failed, write_classifier
from ssl_collapse.evaluation.probe_cached import CachedFeatures, failed_files, probe_cached
from ssl_collapse.evaluation.probe_images import ImageFeatures, probe_images
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.encoder_file import prepared, read_encoder
from ssl_collapse.provenance.content import content
from ssl_collapse.provenance.job import run
from ssl_collapse.representations.extraction import FailedEncoderError
from ssl_collapse.representations.file import open_representations, with_targets
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_json
from ssl_collapse.runtime.interruption import Budget
from ssl_collapse.runtime.outputs import beside, check_outputs
from ssl_collapse.runtime.saved_state import SavedState, identity
from ssl_collapse.runtime.scratch import on_scratch

EPILOG = """\
Two ways to the features:
  cached   TRAIN VAL are files of representations (.h5, .npz, .pt, .safetensors, .npy):
           `representations` (rows, dimensions) and integer `targets` (rows,), which may lie in
           files of their own. No augmentation; seconds to minutes. Both files are held in memory.
  full     --encoder, --images-train and --images-val: random crops and flips of the packed
           images go through the frozen encoder in every epoch; val by its centre crops.

examples:
  %(prog)s train.h5 val.h5
      prints the accuracies and writes val.h5-probe.json beside val.h5
  %(prog)s train_reprs_e0.pt val_reprs_e0.pt --num-classes 1000 --json probe.json
      for files that do not state how many classes there are
  %(prog)s train.npy val.npy --targets train_targets.npy val_targets.npy
  %(prog)s train.h5 val.h5 --spec '{"optimizer": "lars", "batch_size": 4096, "epochs": 50}'
  %(prog)s --encoder encoder.safetensors --images-train train.h5 --images-val val.h5 \\
      --device cuda --workers 8 --state unfinished --json probe.json
      after SIGTERM (exit code 75) or a crash the same command goes on where it was saved

settings (--spec), with their defaults:
  optimizer "sgd" (or "lars": LARC, trust 0.001), base_lr 0.1 (times batch_size / 256),
  momentum 0.9, weight_decay 0, epochs 90, batch_size 1024, seed 0; full mode: min_scale 0.08,
  flip_probability 0.5, resize 256, crop 224, mean and std of ImageNet

reading the result:
  `last` is the accuracy after the last epoch. `best` is the best epoch by top-1 on the very
  labels that are reported, so an upper bound. Accuracies are fractions. The class count is the
  dataset's, not that of the labels which happen to occur. The full mode writes digests of the
  backbone's weights before and after, which must be equal.

exit codes: 0 done, 1 failed, 2 wrong input (no output file is written), 75 interrupted and saved
"""

Spec = TypeVar("Spec", bound=ProbeSpec)
ProbeRun = Callable[[SavedState | None], dict[str, Any]]


def main(args: argparse.Namespace) -> Callable[[], None] | None:
    """Probe and write what was asked for; returns what to do last."""
    full, direct = _is_full(args), args.json is None
    files = [args.encoder, args.images_train, args.images_val] if full else args.representations
    path = beside(args.encoder if full else files[-1], "probe") if direct else args.json
    probe = _full(args) if full else _cached(args)
    check_outputs(path, args.classifier)
    with _state(args, files) as state:
        result = probe(state)
        if args.classifier and "failure" in result:
            write_classifier(args.classifier, None)
        write_json(path, result)
    if direct:
        print(_readable(result))
        print(f"\nwritten: {path}")
    return state.remove if state else None


def _is_full(args: argparse.Namespace) -> bool:
    """Which files are given decides the mode; UserError if they are of neither or of both."""
    images = [args.encoder, args.images_train, args.images_val]
    if len(args.representations) == 2 and not any(images):
        return False
    if not args.representations and all(images):
        return True
    raise UserError(
        "give either two files of representations (TRAIN VAL), or --encoder, --images-train and "
        "--images-val; see --help"
    )


def _cached(args: argparse.Namespace) -> ProbeRun:
    spec = _parse(args.spec, ProbeSpec, "cached")
    train, val = map(open_representations, args.representations)
    if args.targets:
        train, val = map(with_targets, (train, val), args.targets)
    failed = failed_files(train, val, spec, args.num_classes)
    if failed is not None:
        return lambda state: failed
    source, device = CachedFeatures(train, val, spec, args.num_classes), choose_device(args.device)
    return lambda state: probe_cached(source, device, state, args.classifier)


def _full(args: argparse.Namespace) -> ProbeRun:
    if args.num_classes is not None or args.targets:
        option = "--targets" if args.targets else "--num-classes"
        raise UserError(f"{option}: packed images state their classes; leave it out")
    spec = _parse(args.spec, FullProbeSpec, "full")
    train, val = (
        PackedImages(on_scratch(path, args.scratch))
        for path in (args.images_train, args.images_val)
    )
    encoder, metadata = read_encoder(args.encoder)
    spec = prepared(spec, metadata)
    device, dim = choose_device(args.device), int(metadata["feature_dim"])
    source = ImageFeatures(encoder, dim, train, val, spec, device, args.workers)

    def probe(state: SavedState | None) -> dict[str, Any]:
        if "failure" in metadata:
            return describe_failed(source, spec, metadata["failure"])
        try:
            return probe_images(source, state, args.classifier)
        except FailedEncoderError as error:
            return describe_failed(source, spec, str(error))

    return probe


def _parse(text: str, model: type[Spec], mode: str) -> Spec:
    """The settings, with the mode that the files given imply."""
    try:
        given = json.loads(text)
        spec = model.from_spec(json.dumps({"mode": mode, **given}))
    except (ValidationError, TypeError, ValueError) as error:
        raise UserError(f"--spec: {error}") from error
    if spec.mode != mode:
        raise UserError(f"--spec: mode is {spec.mode!r}, but the files given are for {mode!r}")
    return spec


@contextmanager
def _state(args: argparse.Namespace, files: list[Path]) -> Iterator[SavedState | None]:
    """With --state: where an interrupted probe is saved."""
    if args.state is None:
        yield None
        return
    # All that decides the result is part of the path, so that nothing else can resume it.
    settings = ("probe", args.spec, args.code, str(args.num_classes))
    read = [*files, *(args.targets or ())]
    state = SavedState(args.state / identity(*settings, *map(content, read)), Budget.of(args))
    with state.locked():
        yield state


def _readable(content: dict[str, Any]) -> str:
    """Last and best as a table."""
    protocol = content["protocol"]
    best = content["best_epoch"]
    lines = [
        f"{protocol['mode']} probe, {protocol['optimizer']}: {protocol['n_train']} rows to train "
        f"on, {protocol['n_val']} to score, {content['num_classes']} classes"
    ]
    if "failure" in content:
        return "\n".join([*lines, f"diverged: {content['failure']}; no accuracies"])
    lines += [
        f"{'':<8}{'top-1':>8}{'top-5':>8}",
        f"{'last':<8}{content['top1_last']:>8.4f}{content['top5_last']:>8.4f}   "
        f"epoch {protocol['epochs']}",
        f"{'best':<8}{content['top1_best']:>8.4f}{content['top5_best']:>8.4f}   "
        f"epoch {best}, chosen on val",
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in content["notes"])])


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        "representations",
        type=Path,
        nargs="*",
        metavar="TRAIN VAL",
        help="representations to train on and to score, both with targets",
    )
    p.add_argument(
        "--targets",
        type=Path,
        nargs=2,
        metavar=("TRAIN", "VAL"),
        help="files (any form) with the class of every row, for files without, or in their place",
    )
    p.add_argument("--encoder", type=Path, nargs="?", help="encoder.safetensors")
    p.add_argument("--images-train", type=Path, nargs="?", help="packed images to train on")
    p.add_argument("--images-val", type=Path, nargs="?", help="packed images to score")
    p.add_argument("--spec", default="{}", metavar="JSON", help="settings other than default")
    p.add_argument(
        "--num-classes", type=int, metavar="C", help="for representations that do not state it"
    )
    p.add_argument("--json", type=Path, metavar="OUT", help="where protocol and results go")
    p.add_argument(
        "--classifier", type=Path, metavar="OUT", help="safetensors of the trained classifier"
    )
    p.add_argument("--state", type=Path, metavar="DIR", help="folder of unfinished probes")
    p.add_argument("--code", default="", help="digest of the code: part of the state's name")
    p.add_argument(
        "--device", choices=("cpu", "cuda", "auto"), default="auto", help="default: auto"
    )
    p.add_argument("--workers", type=int, default=0, help="processes that load images")
    p.add_argument("--scratch", help="folder for copies of the images, for example $TMPDIR")
    Budget.add_options(p)
    return p


if __name__ == "__main__":
    run(parser(), main)
