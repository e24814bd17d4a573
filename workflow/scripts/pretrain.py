"""Pretrain one run: packed images in, training.csv and one checkpoint per epoch out.

The times go to speed.csv beside training.csv, which so has the same bytes in every run on the CPU.

example:
  pretrain.py --spec @recipe.json --images train.h5 --ordering ordering-seed0.npy \\
      --state unfinished --training training.csv --checkpoints checkpoints
      after SIGTERM (exit code 75) or a crash the same command goes on where it was saved
"""

import argparse
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from ssl_collapse.config.paths import INSIDE
from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import checkpoint_after
from ssl_collapse.provenance.content import content
from ssl_collapse.provenance.job import made_meanwhile, run
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.runtime.interruption import Budget
from ssl_collapse.runtime.saved_state import SavedState, identity
from ssl_collapse.runtime.scratch import on_scratch
from ssl_collapse.runtime.torchrun import launch
from ssl_collapse.runtime.trackers import add_options, open_trackers
from ssl_collapse.training.loop import Runtime, Trainer
from ssl_collapse.training.ranks import join, under_torchrun
from ssl_collapse.training.saving import Rows
from ssl_collapse.views.ordering import read_ordering
from ssl_collapse.views.schedule import check_subsets

logger = logging.getLogger("ssl_collapse")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON of a PretrainSpec")
    p.add_argument("--run", default="this run", help="run and seed, for messages")
    p.add_argument("--images", type=Path, required=True, help="packed training images (HDF5)")
    p.add_argument("--ordering", type=Path, required=True, help="permutation of the images (npy)")
    p.add_argument("--start", type=Path, nargs="?", help="checkpoints of the run to start from")
    p.add_argument("--teacher", type=Path, nargs="?", help="encoder to learn from (safetensors)")
    p.add_argument("--state", type=Path, required=True, help="folder of unfinished trainings")
    p.add_argument("--code", default="", help="digest of the code: part of the state's identity")
    p.add_argument("--identity", help=argparse.SUPPRESS)  # found once for all processes
    p.add_argument("--training", type=Path, required=True, help="training.csv to write")
    p.add_argument("--checkpoints", type=Path, required=True, help="folder of checkpoints to write")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--gpus", type=int, default=1, help="processes, each on its own GPU")
    p.add_argument("--workers", type=int, default=0, help="processes that load images, per GPU")
    p.add_argument("--scratch", help="folder for copies of the images, for example $TMPDIR")
    p.add_argument("--log-every", type=int, default=100, help="steps between two log lines")
    Budget.add_options(p)
    add_options(p)
    return p


def main(args: argparse.Namespace) -> Callable[[], None]:
    """Train here, or start the processes that train on several GPUs; returns what to do last."""
    start = checkpoint_after(args.start, _spec(args).start_epoch) if args.start else None
    if args.identity is None:
        # All that decides the result is part of the state's path: nothing else can resume it.
        inputs = [args.images, args.ordering, *filter(None, (start, args.teacher))]
        args.identity = identity("training", args.spec, args.code, *map(content, inputs))
    state = SavedState(args.state / args.identity, Budget.of(args))
    if args.gpus > 1 and not under_torchrun():
        device = choose_device(args.device, args.gpus)  # held here for all processes
        if device.type == "cuda" or args.device == "cpu":
            launch(sys.argv[0], [*sys.argv[1:], "--identity", args.identity], args.gpus)
            return state.remove
        logger.warning("no GPU is visible: one process on the CPU instead of %d", args.gpus)
    with ExitStack() as held:
        train(args, start, state, held)
        held.callback(state.remove)
        # The lock, too, is held until the results count: who waits for it would train again.
        return held.pop_all().close


def _spec(args: argparse.Namespace) -> PretrainSpec:
    return PretrainSpec.from_spec(args.spec)


def train(args: argparse.Namespace, start: Path | None, state: SavedState, held: ExitStack) -> None:
    """Train, or go on training, and publish the results; `held` keeps the lock of the state."""
    spec = _spec(args)
    images = PackedImages(on_scratch(args.images, args.scratch))
    ordering = read_ordering(args.ordering, len(images))
    check_subsets(spec, len(ordering), spec.start_epoch)
    device = choose_device(args.device)
    runtime = Runtime(device, args.workers, args.log_every, args.run)
    ranks = join(device)
    if ranks.size > 1 and device.type == "cpu":
        logger.warning("on the CPU batch norm sees each process's part of a batch alone")
    if ranks.first:
        held.enter_context(state.locked())
    ranks.wait()  # for the lock
    if made_meanwhile(args):
        logger.info("another process has finished this training: nothing is left to do")
        ranks.leave()
        return
    trackers = open_trackers(args, args.run, args.identity) if ranks.first else {}
    trainer = Trainer(spec, images, ordering, runtime, state, ranks, args.teacher)
    if start:
        trainer.start_from(start)
    trainer.resume()
    with state.following.told_to(trackers):
        rows = trainer.run()
    if ranks.first:
        _write_speed(args.training.with_name(Path(INSIDE.speed).name), trainer.progress.speed)
        with atomic_path(args.training) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False, na_rep="nan")
        state.publish(args.checkpoints)
    ranks.leave()


def _write_speed(path: Path, rows: Rows) -> None:
    """Write speed.csv, which no result depends on, and which is no reason to fail."""
    try:
        with atomic_path(path) as temporary:
            columns = ["epoch", "images_per_second", "seconds"]
            pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False)
    except OSError as error:
        logger.warning("%s was not written: %s", path, error)


if __name__ == "__main__":
    run(parser(), main)
