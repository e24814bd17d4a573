"""The scripts, called as people call them."""

import contextlib
import importlib.util
import io
import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

WORKFLOW = Path(__file__).parents[2] / "workflow"
Run = subprocess.CompletedProcess[str]


def run_script(name: str, *arguments: object, **environment: str) -> Run:
    """Run a script to its end, whatever that is, in a process of its own."""
    command = [sys.executable, WORKFLOW / f"scripts/{name}.py", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(WORKFLOW)} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def run_here(name: str, *arguments: object) -> Run:
    """The same in this process, which need not import everything again."""
    words = [str(WORKFLOW / f"scripts/{name}.py"), *map(str, arguments)]
    log, output, errors = logging.getLogger("ssl_collapse"), io.StringIO(), io.StringIO()
    level, code = log.level, 0
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ),
        mock.patch.object(log, "handlers", [*log.handlers]),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as ended:
            code = ended.code
    log.setLevel(level)
    return Run(words, code, output.getvalue(), errors.getvalue())


def script(name: str) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", WORKFLOW / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(name: str, *arguments: object) -> Any:
    """What a script's `main` gives for these arguments; its errors come through."""
    module = script(name)
    parser = module.parser()
    parser.add_argument("--provenance")  # as every job's has
    return module.main(parser.parse_args([str(argument) for argument in arguments]))
