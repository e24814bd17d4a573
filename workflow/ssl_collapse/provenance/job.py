"""A script run as a job of the workflow: one message for bad input, exit codes, and sidecars."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ssl_collapse.provenance.sidecar import Request, write_sidecars
from ssl_collapse.runtime.command_line import (
    RANK,
    explain,
    refuse_overwriting,
    set_up_logging,
    text,
)

LIBRARY = Path(__file__).parents[2]


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], None]) -> None:
    """Parse the command line, run `main`, and turn `UserError` into one message and exit code 2.

    Adds `--log FILE`: plain lines go there; on a terminal they also go to stderr. Adds
    `--provenance JSON`, by which the workflow has a sidecar written beside every output.
    """
    parser.add_argument("--log", type=Path, help="also write the log lines to this file")
    parser.add_argument("--provenance", help=argparse.SUPPRESS)
    args = parser.parse_args()
    refuse_overwriting(parser, args)
    set_up_logging(args.log)
    try:
        main(args)
        if args.provenance and RANK is None:
            request = Request.model_validate_json(text(args.provenance))
            write_sidecars(request, Path(sys.argv[0]), LIBRARY)
    except Exception as error:
        sys.exit(explain(error))
