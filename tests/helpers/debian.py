"""Programs that tests need and no Python package brings: installed where root on Debian may."""

import os
import shutil
import subprocess
from collections.abc import Sequence

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing(programs: Sequence[str]) -> list[str]:
    """Those that this machine lacks."""
    return [name for name in programs if shutil.which(name, path=PATH) is None]


def cannot_have(programs: Sequence[str], packages: Sequence[str]) -> str | None:
    """Why these programs are not here; installs their packages where root may. None if all are."""
    lacking = ", ".join(missing(programs))
    if not lacking:
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{lacking} not found, and neither root nor apt-get to install it with"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], capture_output=True, text=True, env=environment
        )
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            return f"apt-get {command[0]} failed: {last}"
    return f"{', '.join(missing(programs))} not found after apt-get" if missing(programs) else None
