"""One training on several GPUs: torchrun starts a process per GPU, and this one waits for them."""

import os
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

from ssl_collapse.runtime.errors import FAILED, INTERRUPTED


def launch(script: str, arguments: list[str], gpus: int) -> None:
    """Run `script` with `arguments` in `gpus` processes.

    Signals reach all of them. Exits with the code of the process that failed first: 2 for bad
    input, 75 for a training that saved its state to be started again.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torchrun sets it, and says so
    options = ["--standalone", f"--nproc-per-node={gpus}", "--max-restarts=0"]
    # A signal that torchrun does not know would end it and leave the processes behind.
    options.append("--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1")
    options.append("--shutdown-timeout=60")  # seconds to save in, before they are killed
    try:
        torchrun([*options, "--", script, *arguments])
    except SignalException:
        sys.exit(INTERRUPTED)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        sys.exit(failure.exitcode if failure.exitcode > 0 else FAILED)
