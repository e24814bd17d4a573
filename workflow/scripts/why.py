"""Say for every job that would run why it would: one line each, causes first.

All arguments go to Snakemake.

example:
  why.py --configfile configs/smoke.yaml
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.words import believed, explain, verdicts
from ssl_collapse.runtime.command_line import report_command


def main(arguments: list[str]) -> int:
    """Print the reasons."""
    plan = verdicts(arguments)
    print("\n".join([*believed(plan), *(list(explain(plan)) or ["nothing to do"])]))
    return 0


if __name__ == "__main__":
    sys.exit(report_command(__doc__, main))
