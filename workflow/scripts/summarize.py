"""Collect the measures of every run, seed and epoch in one table, tables/summary.csv."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from ssl_collapse import cli
from ssl_collapse.config.summary import parse_rows
from ssl_collapse.errors import UserError
from ssl_collapse.evaluation.summary import summarize
from ssl_collapse.storage.atomic import write_text


def main(args: argparse.Namespace) -> None:
    """Write the table of the rows that `--spec` or `--spec-file` lists."""
    try:
        rows = parse_rows(args.spec if args.spec_file is None else _read(args.spec_file))
    except ValidationError as error:
        raise UserError(f"the list of rows is wrong: {error}") from None
    table = summarize(rows, args.results)
    write_text(args.output, table.to_csv(index=False, lineterminator="\n"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--spec", help="JSON list of rows: run, seed, epoch, dataset, recipe")
    source.add_argument("--spec-file", type=Path, help="file with that JSON, for long lists")
    parser.add_argument("--results", required=True, type=Path, help="folder of all results")
    parser.add_argument("--output", required=True, type=Path, help="CSV file to write")
    cli.run(parser, main)
