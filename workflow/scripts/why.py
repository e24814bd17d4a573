"""Say for every job that would run why it would: one line each.

All arguments go to Snakemake, for example: why.py --configfile configs/smoke.yaml
"""

import argparse
import os
import subprocess
import sys

from ssl_collapse.provenance.why import explain, planned_jobs


def main(arguments: list[str]) -> int:
    """Print the reasons; returns Snakemake's exit code."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--cores", "1"]
    run = subprocess.run([*command, *arguments], capture_output=True, text=True)
    if run.returncode:
        print(run.stdout + run.stderr, file=sys.stderr)
        return run.returncode
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--directory", "-d", default=".")
    os.chdir(options.parse_known_args(arguments)[0].directory)  # where the plan's paths begin
    lines = sorted({explain(job) for job in planned_jobs(run.stdout + run.stderr)})
    print("\n".join(lines) or "nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
