"""A script run as a job of the workflow: one message for bad input, exit codes, and sidecars.

What a job records is what it read: it digests its inputs before it computes, stops at one that is
not what its sidecar says, and writes no sidecar where inputs or code changed while it ran.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ssl_collapse.provenance.content import Look, Looks
from ssl_collapse.provenance.judge import Planned, judge
from ssl_collapse.provenance.record import Record
from ssl_collapse.provenance.sidecar import Request
from ssl_collapse.runtime.command_line import (
    RANK,
    Help,
    explain,
    refuse_overwriting,
    set_up_logging,
    text,
)

LIBRARY = Path(__file__).parents[2]
Main = Callable[[argparse.Namespace], Callable[[], None] | None]
_begun: dict[str | None, Record] = {}  # of a job that is not in the store, by its request


def run(parser: argparse.ArgumentParser, main: Main) -> None:
    """Parse the command line, run `main`, and turn `UserError` into one message and exit code 2.

    Adds `--log FILE`: plain lines go there; on a terminal they also go to stderr. Adds
    `--provenance JSON`, by which the workflow has a sidecar written beside every output; the script
    then has an option `--spec`. What `main` returns is called when the sidecars are written: until
    then a training keeps its state, so that one whose results do not count need not start anew.
    """
    parser.add_argument("--log", type=Path, help="also write the log lines to this file")
    parser.add_argument("--provenance", help=argparse.SUPPRESS)
    parser.formatter_class = Help
    args = parser.parse_args()
    refuse_overwriting(parser, args)
    record = _begun.pop(args.provenance, None)
    if record is None:
        set_up_logging(args.log)
    try:
        if "spec" in args:
            args.spec = text(args.spec)
        if args.provenance and RANK is None:
            _run(record or _record(args), args, main)
        elif (finish := main(args)) is not None and RANK is None:
            finish()
    except Exception as error:
        sys.exit(explain(error))


def _run(record: Record, args: argparse.Namespace, main: Main) -> None:
    finish = main(args)
    record.write()
    if finish is not None:
        finish()
        for output in record.outputs:
            Look.at(output).confirm()  # files that were linked to the state have a new ctime
    record.publish()


def take_from_store() -> bool:
    """Whether the job of this command line is done with results of the store.

    Of the command line only what `run` adds to every script's is looked at.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--spec", "--log", "--provenance"):
        parser.add_argument(name)
    args, _ = parser.parse_known_args()
    if args.provenance is None:
        return False
    set_up_logging(Path(args.log) if args.log else None)
    try:
        args.spec = text(args.spec)
        record = _record(args)
        taken = record.take()
    except Exception as error:
        sys.exit(explain(error))
    if not taken:
        _begun[args.provenance] = record
    return taken


def _record(args: argparse.Namespace) -> Record:
    return Record(_request(args), args.spec, Path(sys.argv[0]), LIBRARY)


def made_meanwhile(args: argparse.Namespace) -> bool:
    """Whether another process has made this job's results since Snakemake made room for them."""
    if getattr(args, "provenance", None) is None:  # called by a person, or by a test
        return False
    return judge(Planned(_request(args), args.spec, Path(sys.argv[0])), Looks()) is None


def _request(args: argparse.Namespace) -> Request:
    return Request.model_validate_json(text(args.provenance))
