"""A run as a person sees it, on a pseudo-terminal and off it: three jobs that compute nothing."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parents[2] / "workflow"
SNAKEFILE = f"""
import sys
from pathlib import Path
sys.path.insert(0, "{WORKFLOW}")
from engine.terminal.course import Line
from engine.terminal.handler import attach

attach(
    workflow,
    Path("state"),
    lambda course: [Line(f"failed: {{[*course.failed]}}"), Line(f"{{[*course.interrupted]}}")],
    lambda jobs: f"plan: {{sum(jobs.values())}} jobs",
)

rule all:
    input: "single/seed0/training.csv", "knn.json"

rule pretrain:
    output: "{{run}}/seed{{seed}}/training.csv"
    log: "{{run}}/{{seed}}.log"
    shell: "exec {sys.executable} job.py {{output}} {{log}}"

rule pack:
    output: "train.h5"
    log: "pack.log"
    shell: "touch {{output}}"

rule knn:
    input: "train.h5"
    output: "knn.json"
    log: "knn.log"
    shell: "echo error: no neighbours > {{log}}; echo error: no neighbours >&2; exit 2"
"""
JOB = f"""
import json, sys, time
from pathlib import Path
sys.path.insert(0, "{WORKFLOW}")
from ssl_collapse.runtime.following import Following
from ssl_collapse.runtime.interruption import Interruption
output, log = map(Path, sys.argv[1:])
folder = Path("state", output.parent, "training-0")
folder.mkdir(parents=True)
following = Following(folder)
following.begin(10, 100, 64)  # epochs, steps of each, images of each
following.epoch({{"epoch": 3, "loss": 0.5, "effective_rank": 7.25}})
following.step(3, 50)
print("warning: dimensional collapse", file=sys.stderr)
with Interruption() as interruption:
    for _ in range(60):
        time.sleep(0.05)
        if interruption.asked:
            log.write_text("interrupted; saved epoch 3, step 50\\n")
            sys.exit(75)
output.write_text("")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "job.py").write_text(JOB)
    return tmp_path


COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "--keep-going"]


def on_a_terminal(folder: Path, stop_at: bytes | None = None) -> str:
    """What is written to a terminal; when `stop_at` is read, Ctrl-C is sent."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    environment.pop("NO_COLOR", None)
    run = subprocess.Popen(
        COMMAND, cwd=folder, stdin=slave, stdout=slave, stderr=slave, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    text = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux says so where the last process has closed it
            break
        if not chunk:
            break
        text += chunk
        if stop_at is not None and stop_at in text:
            os.killpg(run.pid, signal.SIGINT)
            stop_at = None
    os.close(master)
    assert run.wait() == 1, "one job fails"
    return text.decode()


def unsteered(text: str) -> str:
    """Without colours and the moves of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def test_ctrl_c_is_told_as_an_interruption(folder: Path):
    lines = unsteered(on_a_terminal(folder, stop_at=b"epoch 4/10")).splitlines()
    told = "pretrain single/seed0: interrupted; saved epoch 3, step 50; it goes on from there"
    assert any(line.endswith(told) for line in lines)
    assert lines[-1] == "['pretrain single/seed0']" and lines[-2].endswith("failed: ['knn']")


def test_on_a_terminal_trainings_move_and_errors_stand_out(folder: Path):
    text = on_a_terminal(folder)
    shown = unsteered(text)
    assert "plan: 4 jobs\n" in shown
    moving = re.findall(r"single/seed0  epoch 4/10 .*", shown)[-1]
    assert "loss 0.5000" in moving and "rank 7.2" in moving
    assert "warning: dimensional collapse\n" in shown, "whole, above what moves"
    for line in ("error: knn has failed", "  last lines of knn.log:", "  | error: no neighbours"):
        assert f"{line}\n" in shown
    assert shown.count("error: no neighbours") == 1, "told with its job, not twice"
    assert "] pack" not in shown and "2 of 4 jobs done, 1 failed" in shown, "the rest is counted"
    assert shown.rstrip().splitlines()[-2:] == ["failed: ['knn']", "[]"]
    assert "\x1b[?25h" in text.split("\x1b[?25l")[-1], "the cursor is back"
    (log,) = folder.glob(".snakemake/log/*.snakemake.log")
    assert "exit 2" in log.read_text(), "every line is in the log file"


def test_off_a_terminal_each_finished_job_is_a_plain_line(folder: Path):
    run = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True)
    lines = run.stderr.splitlines()
    assert lines[lines.index("plan: 4 jobs") :][-2:] == ["failed: ['knn']", "[]"]
    finished = [line for line in lines if line.startswith("[") and line[1] != "]"]
    assert [re.sub(r", \d+ s$", "", line) for line in finished] == [
        "[1/4] pack",
        "[2/4] pretrain single/seed0",
    ]
    assert "\x1b" not in run.stderr and "exit 2" not in run.stderr


@pytest.mark.parametrize("option", ["--dry-run", "--quiet=rules", "--verbose", "--list"])
def test_what_a_person_asks_of_snakemake_is_snakemakes(folder: Path, option: str):
    words = [*COMMAND, option, "train.h5"] if option != "--list" else [*COMMAND, option]
    run = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    text = run.stdout + run.stderr
    assert run.returncode == 0 and "plan: " not in text and "failed: " not in text
    assert option != "--list" or "pretrain" in text
