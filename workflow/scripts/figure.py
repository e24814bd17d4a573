"""Draw one figure from the summary and the spectra; write PDF, PNG, its numbers and its caption.

example:
  figure.py --name shares --spec '{"kind": "shares", "runs": ["shares", "iid"]}' \\
      --summary results/tables/summary.csv --results results --output-pdf shares.pdf \\
      --output-png shares.png --output-csv shares.csv --caption shares.txt
"""

import argparse
from pathlib import Path

from ssl_collapse.config.figures import parse_figure
from ssl_collapse.config.paths import INSIDE, fill
from ssl_collapse.figures.inputs import read_summary
from ssl_collapse.figures.registry import make
from ssl_collapse.figures.theme import save
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.command_line import parsed
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_text


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--name", required=True, help="name of the figure, for messages")
    p.add_argument("--spec", required=True, help="JSON: kind, runs, title and the kind's keys")
    p.add_argument("--summary", required=True, type=Path, help="tables/summary.csv")
    p.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        help="folder that holds runs/RUN/seedK/, for figures that read more than the summary",
    )
    p.add_argument("--output-pdf", required=True, type=Path, help="figure to write")
    p.add_argument("--output-png", required=True, type=Path, help="the same as pixels")
    p.add_argument("--output-csv", required=True, type=Path, help="exactly the plotted numbers")
    p.add_argument("--caption", required=True, type=Path, help="text: title line, then caption")
    return p


def main(args: argparse.Namespace) -> None:
    """Draw the figure that `--spec` describes."""
    spec = parsed(parse_figure, args.spec)
    try:
        summary = read_summary(args.summary)
        rows = zip(*(summary[name] for name in ("run", "seed", "epoch")), strict=True)
        files = dict.fromkeys(
            args.results / fill(pattern, run=run, seed=seed, epoch=epoch)
            for run, seed, epoch in rows
            for pattern in (INSIDE.spectrum, INSIDE.training)
        )
        numbers, figure, caption = make(spec, summary, list(files))
    except UserError as error:
        raise UserError(f"figure {args.name}: {error}") from None
    save(spec, figure, [args.output_pdf, args.output_png])
    write_text(args.output_csv, numbers.to_csv(index=False, lineterminator="\n"))
    write_text(args.caption, caption)


if __name__ == "__main__":
    run(parser(), main)
