"""A simulated lab on a throw-away SLURM: how long planning takes, and what the scheduler is asked.

The workflow itself, with a config of many runs and every stage replaced by one that only makes its
outputs up and records them. It is planned, submitted through profiles/slurm for some minutes,
killed, and planned again. Needs what tests/cluster needs: root on Debian.

    python benchmarks/lab.py [--runs 500] [--seeds 3] [--epochs 5] [--minutes 5]
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/cluster"))

from nothing_to_do import copy_sources, experiment, timed
from slurm import PATH, Slurm, cannot_run
from snakemake_runs import start

COMMANDS = ("sbatch", "squeue", "scontrol", "scancel", "sacct", "sacctmgr", "sshare", "sinfo")
PROFILE = ["--profile", "profiles/slurm"]
SITE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "40"]
STAGE = '''\
"""Make the outputs up."""
import argparse
from pathlib import Path

from ssl_collapse.provenance.job import run
from ssl_collapse.provenance.sidecar import Request


class Parser(argparse.ArgumentParser):
    def parse_args(self):
        return self.parse_known_args()[0]


def main(args):
    for output in map(Path, Request.model_validate_json(args.provenance).outputs):
        file = output / "content" if output.name in ("images", "checkpoints") else output
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(output))


parser = Parser()
parser.add_argument("--spec")
run(parser, main)
'''


def main() -> None:
    """Plan, submit, kill and plan again; print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("runs", 500), ("seeds", 3), ("epochs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--minutes", type=float, default=5, help="of submitting; 0: only plan")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/tmp") as place:
        folder, slurm = Path(place, "lab"), Slurm(Path(place))
        prepare(folder, args)
        show("planning", plan(folder))
        if not args.minutes:
            return
        if reason := cannot_run():
            sys.exit(f"error: no SLURM here: {reason}")
        slurm.start()
        try:
            count_calls(slurm)
            submit(folder, slurm, args.minutes)
        finally:
            slurm.stop()
        made = len(list((folder / "results").rglob("*.provenance.json")))
        show("planning again", f"{plan(folder)}, {made} results made")


def prepare(folder: Path, args: argparse.Namespace) -> None:
    """The workflow with stages that take no time."""
    copy_sources(folder)
    for script in (folder / "workflow/scripts").glob("*.py"):
        script.write_text(STAGE)
    config = experiment(args.runs, args.epochs)
    config["defaults"]["seeds"] = list(range(args.seeds))
    (folder / "config.yaml").write_text(json.dumps(config))


def count_calls(slurm: Slurm) -> None:
    """Have every call of a SLURM command write a line."""
    for name in COMMANDS:
        real = subprocess.check_output(["which", name], env={"PATH": PATH}, text=True).strip()
        shim = slurm.folder / "bin" / name
        shim.write_text(f'#!/bin/sh\necho {name} >> {slurm.folder}/calls\nexec {real} "$@"\n')
        shim.chmod(0o755)


def plan(folder: Path) -> str:
    """Jobs of a dry run, and what it took."""
    options = ["--dry-run", "--quiet", "rules", "--nolock"]
    printed, (cpu, seconds) = timed(folder, *PROFILE, *options)
    (jobs,) = set(re.findall(r"^total +(\d+)", printed, re.M))
    return f"{jobs} jobs in {seconds:.0f} s ({cpu:.0f} s of a core)"


def submit(folder: Path, slurm: Slurm, minutes: float) -> None:
    """Run for some minutes from the first submission on, and kill Snakemake."""
    begin, snakefile = time.perf_counter(), folder / "Snakefile"
    run = start(folder, *PROFILE, *SITE, environment=slurm.environment, snakefile=snakefile)
    while not slurm.ask("squeue", "-h", "--states=all"):
        assert run.poll() is None, (folder / "snakemake.out").read_text()[-3000:]
        time.sleep(1)
    show("first submission", f"after {time.perf_counter() - begin:.0f} s")
    (slurm.folder / "calls").unlink()
    time.sleep(60 * minutes)
    os.killpg(run.pid, signal.SIGKILL)
    calls = Counter((slurm.folder / "calls").read_text().split())
    states = Counter(job["JobState"] for job in slurm.jobs())
    show("SLURM jobs", f"{states.total()} submitted in {minutes:g} minutes: {dict(states)}")
    show("calls per minute", ", ".join(f"{n} {c / minutes:.1f}" for n, c in calls.items()))
    slurm.ask("scancel", "--state=PENDING", "--user=root")
    while slurm.ask("squeue", "-h"):
        time.sleep(1)
    fullest = Counter(path.parent for path in folder.rglob("*")).most_common(5)
    show("fullest folders", ", ".join(f"{p.relative_to(folder)} {n}" for p, n in fullest))


def show(what: str, text: str) -> None:
    """One line of the report."""
    print(f"{what:<18}{text}", flush=True)


if __name__ == "__main__":
    main()
