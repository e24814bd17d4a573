"""Measure collapse: AUC of the singular values (eq. 2) and the other label-free measures."""

import os

# One thread inside the linear algebra library, --threads around it: then their number changes
# no bit of the result. To be set before numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
from pathlib import Path
from typing import Any

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.baseline import beside_baseline
from ssl_collapse.evaluation.collapse import measure_collapse, spectrum_table
from ssl_collapse.provenance.job import run
from ssl_collapse.representations.file import open_representations
from ssl_collapse.runtime.command_line import add_threads, parsed
from ssl_collapse.runtime.files import json_text
from ssl_collapse.runtime.outputs import beside, check_outputs, write_all

EPILOG = """\
The file holds a 2-D floating-point array (rows, dimensions):
  .h5 .npz .pt .safetensors   under the key `representations`, or the only such array
  .npy, a tensor in .pt       alone
`targets` are not needed. Nothing in the file is executed: pickled objects are refused.

examples:
  %(prog)s features.npy
      prints the measures and writes features.npy-collapse.json beside the file
  %(prog)s train_reprs_e0.pt --spectrum spectrum.csv
      also writes every singular value
  %(prog)s features.h5 --spec '{"bootstrap_resamples": 0, "alpha_last_rank": 50}'
      no confidence interval, alpha over the ranks 11 to 50

reading the result:
  auc is 0.5 for a flat spectrum and nears 1 as the representations collapse. Every measure's
  definition and convention is in the JSON under "conventions"; singular values at or below
  noise_floor are rounding, not signal. One pass, memory independent of the number of rows.
  "Gaussian" is what rows without any structure give: an isotropic Gaussian of as many rows (at
  most 100 per dimension) and dimensions. Features behind a ReLU are far from it untrained, too.

exit codes: 0 done, 1 failed, 2 wrong input (no output file is written)
"""


def main(args: argparse.Namespace) -> None:
    """Measure one file and write what was asked for."""
    spec = parsed(CollapseSpec.from_spec, args.spec)
    direct = args.json is None
    path = beside(args.file, "collapse") if direct else args.json
    representations = open_representations(args.file)
    check_outputs(path, args.spectrum)
    collapse = measure_collapse(representations, spec, args.threads)
    content = collapse.content
    if args.baseline or (direct and args.baseline is None and "failure" not in content):
        content = beside_baseline(content, spec, args.threads)
    texts = {path: json_text(content)}
    if args.spectrum:
        texts[args.spectrum] = spectrum_table(collapse)
    write_all(texts)
    if direct:
        print(_readable(content))
        print(f"\nwritten: {path}")


def _readable(content: dict[str, Any]) -> str:
    """The scalars as columns, notes below."""
    random = content.get("baseline", {})
    lines = [f"{'':<22} {'value':<12} Gaussian"] if random else []
    for name, value in content.items():
        if not isinstance(value, (dict, list)):
            beside = _shown(random[name]) if name in random and name != "n" else ""
            lines.append(f"{name:<22} {_shown(value):<12} {beside}".rstrip())
    notes = [*content["notes"], *([random["note"]] if random else [])]
    return "\n".join([*lines, *(f"note: {note}" for note in notes)])


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("file", type=Path, help="representations: .h5, .npy, .npz, .pt or .safetensors")
    p.add_argument("--spec", default="{}", metavar="JSON", help="settings other than default")
    p.add_argument("--json", type=Path, metavar="OUT", help="where the measures go")
    p.add_argument(
        "--baseline",
        action=argparse.BooleanOptionalAction,
        help="also measure an isotropic Gaussian; default: where --json is not given",
    )
    p.add_argument("--spectrum", type=Path, metavar="OUT", help="CSV of the singular values")
    add_threads(p)
    return p


if __name__ == "__main__":
    run(parser(), main)
