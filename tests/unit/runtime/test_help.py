"""`--help` of every script: one shape, and examples that its own parser takes."""

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


class CalledError(Exception):
    """The command line of a script, in place of a run."""


def parser_of(script: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    def stop(self: argparse.ArgumentParser, *arguments: Any) -> None:
        raise CalledError(self)

    for name in ("OPENBLAS", "MKL", "OMP"):  # some set these: only for themselves
        monkeypatch.setenv(f"{name}_NUM_THREADS", "1")
    with monkeypatch.context() as patched, pytest.raises(CalledError) as called:
        patched.setattr(argparse.ArgumentParser, "parse_args", stop)
        patched.setattr(sys, "argv", [str(script)])
        runpy.run_path(str(script), run_name="__main__")
    (parser,) = called.value.args
    return parser


def examples(text: str, script: Path) -> list[list[str]]:
    """The arguments of a help's examples."""
    joined = text.replace("\\\n", " ")
    lines = re.findall(rf"(?:^  |for example: ){script.name} (.*)$", joined, re.M)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_says_what_it_does_its_arguments_and_an_example(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if "report_command(" in script.read_text("utf-8"):  # its arguments are Snakemake's
        monkeypatch.setattr(sys, "argv", [str(script), "--help"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
        assert ended.value.code == 0
        text = capsys.readouterr().out
    else:
        parser = parser_of(script, monkeypatch)
        text = parser.format_help()
        shown = [a for a in parser._actions if a.help != argparse.SUPPRESS]
        assert [a.dest for a in shown if not a.help and not a.choices] == []
        defaults = [a for a in shown if a.option_strings and isinstance(a.default, int | float)]
        flat = " ".join(text.split())
        for action in defaults:
            told = f"(default: {action.default})"
            assert action.default is False or told in flat or "default: all cores" in flat
        for example in examples(text, script):
            parser.parse_known_args(example)  # ends where one is wrong
    usage, what = text.split("\n\n")[:2]
    assert usage.startswith(f"usage: {script.name} ")
    assert what.splitlines()[0].endswith(".")  # one sentence in one line
    assert examples(text, script), "no example"
