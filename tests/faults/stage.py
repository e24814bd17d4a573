"""One job of the pipeline in a forked process, which can be killed at any file operation.

Forks share what this process has imported, so that a kill costs a tenth of a second, not three.
"""

import importlib
import os
import pkgutil
import runpy
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from snakemake_runs import Job

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree")


def preload() -> None:
    """Import all that the stages import, and compute nothing: forks must find no threads."""
    import ssl_collapse

    for module in pkgutil.walk_packages(ssl_collapse.__path__, "ssl_collapse."):
        importlib.import_module(module.name)


class Running:
    """A job that has been started in a fork."""

    def __init__(self, job: Job, folder: Path, prepare: Callable[[], None] = lambda: None) -> None:
        self.log = folder / "stderr"
        self.pid = os.fork()
        if self.pid == 0:
            self._become(job, folder, prepare)

    def _become(self, job: Job, folder: Path, prepare: Callable[[], None]) -> None:
        code: object = 1
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.chdir(folder)
            out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            sys.argv = [str(job.script), *job.arguments]
            prepare()
            runpy.run_path(str(job.script), run_name="__main__")
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code if isinstance(code, int) else 1)

    def wait(self) -> int:
        """Its exit code; minus the number of the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def send(self, number: int) -> None:
        os.kill(self.pid, number)


def remove_outputs(job: Job, folder: Path) -> None:
    """What Snakemake does before a job, and after one that failed."""
    for output in job.outputs:
        path = folder / output
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def count_events(job: Job, folder: Path) -> tuple[int, float]:
    """File operations of a job that runs to its end, and its seconds."""
    note = folder / "events"
    start = time.perf_counter()
    code = Running(job, folder, lambda: _on_event(lambda n: note.write_text(str(n)))).wait()
    assert code == 0, (folder / "stderr").read_text()
    return int(note.read_text()), time.perf_counter() - start


def killed_at(event: int) -> Callable[[], None]:
    """Has the process killed just before its n-th file operation, as a power cut would."""

    def act(n: int) -> None:
        if n == event:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: _on_event(act)


def _on_event(act: Callable[[int], None]) -> None:
    """Call `act` with the running number of every file operation below results/."""
    seen, inside = 0, False

    def hook(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen, inside
        if inside or name not in EVENTS or "results/" not in str(arguments[0]):
            return
        inside, seen = True, seen + 1
        act(seen)
        inside = False

    sys.addaudithook(hook)
