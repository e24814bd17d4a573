"""A script run as a job of the workflow: one message for bad input, exit codes, and sidecars.

What a job records is what it read: it digests its inputs before it computes, stops at one that is
not what its sidecar says, and writes no sidecar where inputs or code changed while it ran.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ssl_collapse.provenance.code import code_digest, equal_code, forget, module_digests
from ssl_collapse.provenance.content import Look, Looks, State, content, digest, look, vouch
from ssl_collapse.provenance.judge import Planned, judge
from ssl_collapse.provenance.sidecar import Request, Sidecar, named, path_of, read_sidecar
from ssl_collapse.runtime.command_line import (
    RANK,
    explain,
    refuse_overwriting,
    set_up_logging,
    text,
)
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_text

LIBRARY = Path(__file__).parents[2]


Main = Callable[[argparse.Namespace], Callable[[], None] | None]


def run(parser: argparse.ArgumentParser, main: Main) -> None:
    """Parse the command line, run `main`, and turn `UserError` into one message and exit code 2.

    Adds `--log FILE`: plain lines go there; on a terminal they also go to stderr. Adds
    `--provenance JSON`, by which the workflow has a sidecar written beside every output; the script
    then has an option `--spec`. What `main` returns is called when the sidecars are written: until
    then a training keeps its state, so that one whose results do not count need not start anew.
    """
    parser.add_argument("--log", type=Path, help="also write the log lines to this file")
    parser.add_argument("--provenance", help=argparse.SUPPRESS)
    args = parser.parse_args()
    refuse_overwriting(parser, args)
    set_up_logging(args.log)
    try:
        if "spec" in args:
            args.spec = text(args.spec)
        if args.provenance and RANK is None:
            request = Request.model_validate_json(text(args.provenance))
            record = Record(request, args.spec, Path(sys.argv[0]), LIBRARY)
            finish = main(args)
            record.write()
        else:
            record, finish = None, main(args)
        if finish is not None and RANK is None:
            finish()
        for output in record.request.outputs if record and finish else ():
            Look.at(Path(output)).confirm()  # files that were linked to the state have a new ctime
    except Exception as error:
        sys.exit(explain(error))


def made_meanwhile(args: argparse.Namespace) -> bool:
    """Whether another process has made this job's results since Snakemake made room for them."""
    if getattr(args, "provenance", None) is None:  # called by a person, or by a test
        return False
    request = Request.model_validate_json(text(args.provenance))
    planned = Planned(
        rule=request.rule,
        spec=args.spec,
        code=request.code,
        inputs=tuple(request.inputs),
        outputs=tuple(request.outputs),
        results=request.results,
        script=Path(sys.argv[0]),
        plugins=tuple(request.plugins),
    )
    return judge(planned, Looks()) is None


class Record:
    """What a job was made from, noted before it starts and written when it has succeeded."""

    def __init__(self, request: Request, spec: str, script: Path, root: Path) -> None:
        """UserError where an input or the code is not what it was when the job was planned."""
        self.request, self.spec, self.script, self.root = request, spec, script, root
        if self._code() != request.code:
            raise UserError("the code has changed since this job was planned; start again")
        self.modules = module_digests(script, root, tuple(request.plugins))
        self.states = {path: _look(path) for path in request.inputs}
        self.inputs = {named(path, request.results): _read(path) for path in request.inputs}

    def write(self) -> None:
        """Describe every output; UserError where inputs or code changed while the job ran."""
        for path, state in self.states.items():
            if _look(path) != state:
                raise UserError(f"{path} has changed while this job read it; start again")
        forget()
        if self._code() != self.request.code:
            raise UserError("the code has changed while this job ran; start again")
        for output in map(Path, self.request.outputs):
            self._describe(output)

    def _describe(self, output: Path) -> None:
        before = look(output)
        sidecar = Sidecar(
            rule=self.request.rule,
            spec=self.spec,
            code=self.request.code,
            modules=self.modules,
            inputs=self.inputs,
            bytes=before.bytes,
            sha256=digest(output),
        )
        noted = path_of(output)
        write_text(noted, sidecar.model_dump_json(indent=1) + "\n")
        # Two jobs that make one result at once: a sidecar must not vouch for the other's.
        if look(output) != before:
            noted.unlink(missing_ok=True)
            raise UserError(f"{output}: another process has just written it; start again")
        vouch(output, before)

    def _code(self) -> str:
        plugins = tuple(self.request.plugins)
        return equal_code(self.request.rule, code_digest(self.script, self.root, plugins))


def _look(path: str) -> State:
    try:
        return look(Path(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _read(path: str) -> str:
    found, sidecar = content(Path(path)), read_sidecar(Path(path))
    if sidecar is not None and sidecar.sha256 != found:
        raise UserError(
            f"{path} is not what {path_of(Path(path)).name} says: it was changed after it was "
            "made; start again, and it is made again first"
        )
    return found
