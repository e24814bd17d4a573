"""Classify representations by their nearest neighbours, for every k."""

import argparse
from pathlib import Path
from typing import Any

from ssl_collapse.config.evaluation import KnnSpec
from ssl_collapse.evaluation.accuracies import FIXED_K
from ssl_collapse.evaluation.knn import classify, table
from ssl_collapse.evaluation.neighbors_file import keeping_neighbors
from ssl_collapse.evaluation.proposals import Backend, CpuBackend, TorchBackend
from ssl_collapse.provenance.job import run
from ssl_collapse.representations.file import open_representations, with_targets
from ssl_collapse.runtime.command_line import add_threads, parsed
from ssl_collapse.runtime.files import json_text
from ssl_collapse.runtime.outputs import beside, check_outputs, write_all

EPILOG = """\
Both files (.h5, .npz, .pt, .safetensors, .npy) hold `representations` (rows, dimensions) and
integer `targets` (rows,), which may lie in files of their own. TRAIN votes, VAL is
classified. With the same file twice, each row is classified by all others (leave-one-out).

examples:
  %(prog)s train.h5 val.h5
      prints the accuracies and writes val.h5-knn.json beside val.h5
  %(prog)s train_reprs_e0.pt val_reprs_e0.pt --device cuda --csv knn.csv
      searches on the GPU; also writes the accuracy of every k
  %(prog)s features.h5 features.h5 --spec '{"metrics": ["cosine"], "k_max": 20}'
      leave-one-out, cosine only, k from 1 to 20
  %(prog)s train.npy val.npy --targets train_targets.npy val_targets.npy
      for files without targets; targets, too, may be in any of the forms
  %(prog)s train.h5 val.h5 --spec '{"votes": ["weighted"], "temperature": 0.1}'

reading the result:
  k = 1, 20 and 200 are fixed beforehand; `oracle` is the best k on the very labels that are
  reported, so an upper bound. Neighbours are exact and do not depend on device or threads. The
  whole protocol is in the JSON.

exit codes: 0 done, 1 failed, 2 wrong input (no output file is written)
"""


def main(args: argparse.Namespace) -> None:
    """Classify and write what was asked for."""
    spec = parsed(KnnSpec.from_spec, args.spec)
    direct = args.json is None
    path = beside(args.val, "knn") if direct else args.json
    train, val = open_representations(args.train), open_representations(args.val)
    if args.targets:
        train, val = map(with_targets, (train, val), args.targets)
    check_outputs(path, args.csv, args.neighbors)
    with keeping_neighbors(args.neighbors) as keep:
        knn = classify(train, val, spec, _backend(args.device, args.threads), keep)
        texts = {path: json_text(knn.content)}
        if args.csv:
            texts[args.csv] = table(knn)
        write_all(texts)
    if direct:
        print(_readable(knn.content))
        print(f"\nwritten: {path}")


def _backend(device: str, threads: int) -> Backend:
    if device == "cpu":  # which needs no torch: importing it takes seconds
        return CpuBackend(threads)
    from ssl_collapse.runtime.device import choose_device

    chosen = choose_device(device)
    return CpuBackend(threads) if chosen.type == "cpu" else TorchBackend(chosen, threads)


def _readable(content: dict[str, Any]) -> str:
    """One line per metric and vote."""
    protocol = content["protocol"]
    lines = [
        f"{protocol['n_val']} rows classified by {protocol['n_train']}"
        f"{' (leave-one-out)' if protocol['leave_one_out'] else ''}, "
        f"{protocol['num_classes']} classes, k up to {protocol['k_max']}",
        "".join([f"{'metric':<8}{'vote':<10}", *(f"{f'k={k}':>8}" for k in FIXED_K)])
        + "   oracle (best k on val)",
    ]
    if "failure" in content:
        return "\n".join([lines[0], f"diverged: {content['failure']}; no accuracies"])
    for metric, votes in content["results"].items():
        for vote, result in votes.items():
            fixed = "".join(
                f"{'-' if value is None else format(value, '.4f'):>8}"
                for value in result["fixed_k"].values()
            )
            oracle = f"{result['oracle']['accuracy']:.4f} at k={result['oracle']['k']}"
            lines.append(f"{metric:<8}{vote:<10}{fixed}   {oracle}")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("train", type=Path, help="representations that vote, with targets")
    p.add_argument("val", type=Path, help="representations to classify, with targets")
    p.add_argument(
        "--targets",
        type=Path,
        nargs=2,
        metavar=("TRAIN", "VAL"),
        help="files with the class of every row, for files without targets or in their place",
    )
    p.add_argument("--spec", default="{}", metavar="JSON", help="settings other than default")
    p.add_argument("--json", type=Path, metavar="OUT", help="where protocol and results go")
    p.add_argument("--csv", type=Path, metavar="OUT", help="CSV of the accuracy of every k")
    p.add_argument(
        "--neighbors", type=Path, metavar="OUT", help="HDF5 of the neighbours and their distances"
    )
    p.add_argument("--device", choices=("cpu", "cuda", "auto"), default="cpu", help="default: cpu")
    add_threads(p)
    return p


if __name__ == "__main__":
    run(parser(), main)
