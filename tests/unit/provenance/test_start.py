"""A job from its command line: a script that says when it computes, and a store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssl_collapse.provenance.code import code_digest
from ssl_collapse.provenance.sidecar import Request

LIBRARY = Path(__file__).parents[3] / "workflow"
SCRIPT = """
import argparse, sys
from pathlib import Path
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.errors import UserError

def main(args):
    print("computing", sorted({"torch", "numpy"} & sys.modules.keys()), sys.argv[0])
    if args.spec == "wrong":
        raise UserError("spec: is wrong")
    args.output.write_text(args.spec)

parser = argparse.ArgumentParser()
parser.add_argument("--spec")
parser.add_argument("--output", type=Path)
run(parser, main)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script; in the working directory lies a file that must not be imported."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working directory')")
    return tmp_path / "script.py"


def start(script: Path, spec: str, store: str = "store") -> "subprocess.CompletedProcess[str]":
    folder = script.parent
    code = code_digest(script, LIBRARY)
    request = Request(
        rule="stage", code=code, plugins=[], inputs=[], outputs=["out.txt"], parts=[""], store=store
    )
    words = [sys.executable, "-P", "-m", "ssl_collapse.provenance.start", str(script)]
    words += ["--spec", spec, "--output", "out.txt", "--log", "log"]
    words += ["--provenance", request.model_dump_json()]
    (folder / "out.txt").unlink(missing_ok=True)  # as Snakemake does
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)


def test_a_job_computes_once(script: Path):
    first = start(script, "a")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"computing [] {script}\n"
    assert start(script, "b").stdout.startswith("computing")
    again = start(script, "a")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (script.parent / "out.txt").read_text() == "a"
    log = (script.parent / "log").read_text()
    assert log.startswith("taken from the store, not computed: store/")
    assert start(script, "a", store="").stdout.startswith("computing")  # off


def test_what_goes_wrong_is_said_once(script: Path):
    run = start(script, "wrong")
    assert (run.returncode, run.stderr) == (2, "error: spec: is wrong\n")
    assert not list(script.parent.glob("store/*"))
    planned = script.read_text()
    script.write_text(planned + "\n'a comment is no code'\n")
    assert start(script, "a").returncode == 0


def test_the_store_cannot_be_written(script: Path):
    (script.parent / "store").write_text("a file")
    run = start(script, "a")
    assert run.returncode == 0
    assert run.stderr.startswith("the store: ") and run.stderr.count("\n") == 1
