"""What the command-line scripts share: log file, one clear message for bad input, exit codes."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ssl_collapse.errors import UserError
from ssl_collapse.provenance.sidecar import Request, write_sidecars

logger = logging.getLogger("ssl_collapse")
# Under torchrun one process of a training writes the log, and the one that started them the rest.
RANK = os.environ.get("RANK")


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], None]) -> None:
    """Parse the command line, run `main`, and turn `UserError` into one message and exit code 2.

    Adds `--log FILE`: plain lines go there; on a terminal they also go to stderr. Adds
    `--provenance JSON`, by which the workflow has a sidecar written beside every output.
    """
    parser.add_argument("--log", type=Path, help="also write the log lines to this file")
    parser.add_argument("--provenance", help=argparse.SUPPRESS)
    args = parser.parse_args()
    _set_up_logging(args.log)
    try:
        main(args)
        if args.provenance and RANK is None:
            request = Request.model_validate_json(text(args.provenance))
            write_sidecars(request, Path(sys.argv[0]), Path(__file__).parents[1])
    except UserError as error:
        logger.error("error: %s", error)
        sys.exit(2)
    except Exception:
        logger.exception("failed")
        sys.exit(1)


def text(argument: str) -> str:
    """The argument itself, or with @ before a path, that file's text."""
    return Path(argument[1:]).read_text("utf-8") if argument.startswith("@") else argument


def _set_up_logging(log: Path | None) -> None:
    logger.setLevel(logging.INFO)
    console = logging.StreamHandler(sys.stderr)
    # Under Snakemake many jobs share one terminal: there only the log file gets every line.
    console.setLevel(logging.WARNING if log else logging.INFO)
    if RANK not in (None, "0"):  # the first process says it for all
        console.setLevel(logging.ERROR)
    handlers: list[logging.Handler] = [console]
    if log and RANK in (None, "0"):
        log.parent.mkdir(parents=True, exist_ok=True)
        if RANK is None:
            log.write_bytes(b"")
        handlers.append(logging.FileHandler(log, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
