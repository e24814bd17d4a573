"""Worker processes: same results, same order, errors passed on, none left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.parallel import ordered_map


def square(x: int) -> int:
    time.sleep(0.002 * (x % 3))  # later items may finish first
    return x * x


def refuse_fifty(x: int) -> int:
    if x == 50:
        raise UserError("fifty is too many")
    return x


def die(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers: int) -> None:
    assert list(ordered_map(square, range(200), workers)) == [x * x for x in range(200)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_through(workers: int) -> None:
    with pytest.raises(UserError, match="fifty"):
        list(ordered_map(refuse_fifty, range(200), workers))


def test_a_killed_worker_is_one_clear_message() -> None:
    with pytest.raises(UserError, match="use fewer workers"):
        list(ordered_map(die, range(100), workers=2))


PROGRAM = """
import os, time
from ssl_collapse.runtime.parallel import ordered_map

def show_pid(x):
    time.sleep(0.05)
    return os.getpid()

if __name__ == "__main__":
    for pid in ordered_map(show_pid, range(100_000), workers=2):
        print(pid, flush=True)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and is_running(worker):
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie has ended, though nobody asked yet.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
