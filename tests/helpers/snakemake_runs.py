"""The one launcher of Snakemake for tests and benchmarks, and the reader of its dry runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import Queue
from typing import Any, Self

import yaml

from ssl_collapse.provenance.sidecar import Request

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "configs/smoke.yaml"


def write_config(folder: Path, config: Mapping[str, Any]) -> Path:
    """The config as a file in `folder`, its keys in their order."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), "utf-8")
    return file


def command(
    folder: Path, *arguments: str, config: Path | None = None, snakefile: Path = ROOT / "Snakefile"
) -> list[str]:
    """The command line that runs this workflow in `folder`; profiles/default goes with it."""
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    words += ["--directory", str(folder), *arguments]
    return [*words, "--configfile", str(config)] if config else words


def finish(words: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command line in a folder; what it prints comes back as one text in `stdout`."""
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(words, cwd=folder, stdout=pipe, stderr=both, text=True)


def snakemake(
    folder: Path, *arguments: str, **files: Path | None
) -> "subprocess.CompletedProcess[str]":
    """Run this workflow in `folder`, however it ends."""
    return finish(command(folder, *arguments, **files), folder)


def succeed(folder: Path, *arguments: str, **files: Path | None) -> str:
    """Run this workflow in `folder`; it must succeed. Returns what it prints."""
    answer = snakemake(folder, *arguments, **files)
    assert answer.returncode == 0, answer.stdout[-5000:]
    return answer.stdout


def start(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] = os.environ,
    **files: Path | None,
) -> "subprocess.Popen[bytes]":
    """Start this workflow in a session of its own; what it prints is added to snakemake.out."""
    # setpriv, on Linux: it does not outlive a test run that is killed
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with (folder / "snakemake.out").open("ab") as out:
        return subprocess.Popen(
            [*leash, *command(folder, *arguments, **files)],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


# --- dry runs ------------------------------------------------------------------------------------
_BLOCK = re.compile(
    r"^(?:local)?rule (?P<rule>\w+):\n(?P<body>(?:    .*\n)*)(?:Shell command: (?P<shell>.*)\n)?",
    re.MULTILINE,
)
_FIELD = re.compile(r"^    (\w+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One job of a dry run."""

    rule: str
    fields: dict[str, str]  # as printed: input, output, reason, wildcards, resources
    shell: str

    @cached_property
    def _words(self) -> list[str]:
        return shlex.split(self.shell)

    @property
    def outputs(self) -> list[str]:
        """The paths that it would make (where none holds a comma)."""
        return self.fields["output"].split(", ")

    @property
    def script(self) -> Path:
        """The script that it would run."""
        return next(Path(word) for word in self._words if word.endswith(".py"))

    @property
    def arguments(self) -> list[str]:
        """The script's command line."""
        return self._words[self._words.index(str(self.script)) + 1 :]

    @property
    def request(self) -> Request:
        """What it would write into its sidecars."""
        text = self.arguments[self.arguments.index("--provenance") + 1]
        return Request.model_validate_json(text)

    @property
    def spec(self) -> str:
        """Its part of the config, as an argument."""
        return self.arguments[self.arguments.index("--spec") + 1]

    @property
    def name(self) -> str:
        """Rule and wildcards: "pretrain iid/seed0", "pack photos/val", "report"."""
        pairs = [
            text.split("=", 1) for text in self.fields.get("wildcards", "").split(", ") if text
        ]
        values = [
            f"{key if key in ('seed', 'epoch') else ''}{value.strip('/')}"
            for key, value in pairs
            if value  # the layer of the backbone has no name
        ]
        return f"{self.rule} {'/'.join(values)}".strip()


def planned(dry_run: str) -> list[Job]:
    """The jobs that a dry run lists, in its order: what is made first stands first.

    Without jobs that make nothing, such as `all`.
    """
    blocks = _BLOCK.finditer(dry_run)
    jobs = [Job(b["rule"], dict(_FIELD.findall(b["body"])), b["shell"] or "") for b in blocks]
    return [job for job in jobs if "output" in job.fields]


# --- many dry runs -------------------------------------------------------------------------------
# Invocations are forks of a process that has imported Snakemake already: half the time.
_SERVER = """
import gc, os, sys
import pandas, pydantic, smart_open, snakemake.cli, snakemake.report
from snakemake.executors import dryrun
snakemake.cli.get_argument_parser()  # imports the plugins
gc.freeze()  # else every fork would write to, and so copy, all of its memory
for line in sys.stdin:
    folder, log, *arguments = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        sys.argv = ["snakemake", *arguments]
        snakemake.cli.main()
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Server:
    """Snakemake, started once per core and forked for every invocation; `with` ends it."""

    def __init__(self, processes: int = 2) -> None:
        self._idle: Queue[subprocess.Popen[str]] = Queue()
        pipe = subprocess.PIPE
        for _ in range(processes):
            words = [sys.executable, "-c", _SERVER]
            self._idle.put(subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        while not self._idle.empty():
            self._idle.get().communicate()

    def __call__(self, folder: Path, *arguments: str) -> str:
        """Run the Snakefile in `folder`; it must succeed. Returns what it prints."""
        log = folder / "snakemake.out"
        server = self._idle.get()
        assert server.stdin and server.stdout
        print(folder, log, *arguments, sep="\t", file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        self._idle.put(server)
        text = log.read_text()
        assert code == 0, text[-5000:]
        return text
