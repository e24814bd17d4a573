"""The scripts, called as people call them."""

import os
import subprocess
import sys
from pathlib import Path

WORKFLOW = Path(__file__).parents[2] / "workflow"


def run_script(
    name: str, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, whatever that is."""
    command = [sys.executable, WORKFLOW / f"scripts/{name}.py", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(WORKFLOW)} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
