"""Collect the measures of every run, seed and epoch in one table, tables/summary.csv.

example:
  summarize.py --spec @rows.json --results results --output summary.csv
"""

import argparse
from pathlib import Path

from ssl_collapse.config.summary import parse_rows
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.command_line import parsed
from ssl_collapse.runtime.files import write_text
from ssl_collapse.tables.summary import summarize


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument(
        "--spec",
        required=True,
        help="JSON list of rows (run, seed, epoch, dataset, recipe), or @ and a file that holds it",
    )
    p.add_argument("--results", required=True, type=Path, help="folder of all results")
    p.add_argument("--output", required=True, type=Path, help="CSV file to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Write the table of the rows that `--spec` lists."""
    rows = parsed(parse_rows, args.spec)
    table = summarize(rows, args.results)
    write_text(args.output, table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    run(parser(), main)
