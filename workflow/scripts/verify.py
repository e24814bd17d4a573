"""Read every byte again, images and results, and name what is not as today's plan would make it.

All arguments go to Snakemake.

example:
  verify.py --configfile configs/smoke.yaml
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.words import believed, differing, missing, verdicts
from ssl_collapse.runtime.command_line import report_command
from ssl_collapse.runtime.errors import WRONG_INPUT


def main(arguments: list[str]) -> int:
    """Print what differs; returns 2 if anything does or cannot be told, else 0."""
    plan = verdicts(arguments, everything=True)
    lines = list(differing(plan))
    unknown = believed(plan)
    all_well = [] if lines or unknown else ["all images and results that are there are as recorded"]
    print("\n".join([*unknown, *lines, *all_well]))
    if missing(plan):
        print(f"{missing(plan)} of {len(plan)} jobs have not run yet")
    if lines:
        print("the same command that made them makes these again, and what follows from them")
    return WRONG_INPUT if lines or unknown else 0


if __name__ == "__main__":
    sys.exit(report_command(__doc__, main))
