"""What the command-line scripts share: log file, one clear message for bad input, exit codes."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ssl_collapse.runtime.errors import FAILED, WRONG_INPUT, UserError

logger = logging.getLogger("ssl_collapse")
Model = TypeVar("Model")
# Under torchrun one process of a training writes the log, and the one that started them the rest.
RANK = os.environ.get("RANK")
# Of the scripts that people call.
OUTPUTS = ("log", "json", "csv", "spectrum", "neighbors", "classifier")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Help(argparse.RawDescriptionHelpFormatter):
    """Texts as they are written, and the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text, default = action.help, action.default
        none = default is None or default is False or default in ("", "{}", [], argparse.SUPPRESS)
        return text if none or not text or "default" in text else f"{text} (default: %(default)s)"


def refuse_overwriting(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with a usage error where an output is one of the inputs, another output, or a folder."""
    given = [
        (name, path)
        for name, value in vars(args).items()
        for path in (value if isinstance(value, list) else [value])
        if isinstance(path, Path)
    ]
    for name, path in given:
        if name not in OUTPUTS:
            continue
        if path.is_dir():
            parser.error(f"--{name}: {path} is a folder; name a file")
        for other, another in given:
            if other != name and another.resolve() == path.resolve():
                parser.error(f"--{name}: {path} is also given as {other}; name another file")


def explain(error: Exception) -> int:
    """Log what went wrong, for bad input and the like in one line; returns the exit code."""
    if isinstance(error, UserError):
        logger.error("error: %s", error)
    elif is_full(error):
        logger.error("error: the disk or the quota is full (%s); free some space", error)
    elif isinstance(error, OSError) and error.filename:
        logger.error("error: %s: %s", error.filename, error.strerror)
    else:
        logger.exception("failed")
        return FAILED
    return WRONG_INPUT


def positive(text: str) -> int:
    """A number of threads and the like, from the command line."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """The option `--threads` of the scripts that people call."""
    parser.add_argument(
        "--threads",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="default: all cores",
    )


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or the one that it came of, says that no more can be written."""
    if error is None:
        return False
    # h5py and torch pass the system's error on in their text alone
    texts = [os.strerror(number) for number in FULL]
    if getattr(error, "errno", None) in FULL or any(text in str(error) for text in texts):
        return True
    return is_full(error.__cause__ or error.__context__)


def parsed(parse: Callable[[str], Model], text: str) -> Model:
    """What `--spec` says, by a model's `from_spec`; UserError where it is no such spec."""
    try:
        return parse(text)
    except ValueError as error:  # pydantic's ValidationError
        raise UserError(f"--spec: {error}") from None


def text(argument: str) -> str:
    """The argument itself, or with @ before a path, that file's text."""
    return Path(argument[1:]).read_text("utf-8") if argument.startswith("@") else argument


def set_up_logging(log: Path | None) -> None:
    """Log lines to stderr and, where it is given, to the file `log`."""
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


def report_command(purpose: str | None, main: Callable[[list[str]], int]) -> int:
    """Run a command whose arguments are another program's; returns its exit code."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(f"usage: {Path(sys.argv[0]).name} [arguments of Snakemake]\n\n{purpose}")
        return 0
    set_up_logging(None)
    try:
        return main(sys.argv[1:])
    except BrokenPipeError:  # who reads has seen enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return explain(error)
