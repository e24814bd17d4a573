"""Write the report: one HTML page with every figure, its caption and the table of runs.

example:
  report.py --spec @report.json --summary results/tables/summary.csv \\
      --figures results/figures/shares.png --output report.html
"""

import argparse
from pathlib import Path

from pydantic import ValidationError

from ssl_collapse.config.figures import ReportSpec
from ssl_collapse.figures.inputs import read_summary
from ssl_collapse.figures.report import dataset_sentence, entry, relative_link, render
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_text


def main(args: argparse.Namespace) -> None:
    """Write the page that `--spec` describes."""
    try:
        spec = ReportSpec.from_spec(args.spec)
    except ValidationError as error:
        raise UserError(f"the report's --spec is wrong: {error}") from None
    figures = [entry(png, args.output) for png in args.figures]
    datasets = [dataset_sentence(path) for path in args.datasets]
    link = relative_link(args.summary, args.output)
    write_text(args.output, render(spec, read_summary(args.summary), figures, datasets, link))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON: title, description, runs, accuracy")
    parser.add_argument("--summary", required=True, type=Path, help="tables/summary.csv")
    parser.add_argument(
        "--figures",
        nargs="*",
        default=[],
        type=Path,
        metavar="PNG",
        help="figures/NAME.png in the page's order; NAME.txt (caption) lies beside each",
    )
    parser.add_argument(
        "--datasets", nargs="*", default=[], type=Path, metavar="JSON", help="dataset.json files"
    )
    parser.add_argument("--output", required=True, type=Path, help="HTML file to write")
    run(parser, main)
