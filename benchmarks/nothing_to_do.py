"""Time to answer "nothing to do", against a bare Snakemake workflow with the same jobs.

200 runs with 5 analysed epochs each, every result present and recorded. The bare workflow has the
same number of jobs of each rule, the same files and the same edges, and nothing else: no config,
no params, no code digests. Both are asked in turn; the ratio of the medians is what our
provenance costs, the more truly in seconds of a core the busier the machine is.

    python benchmarks/nothing_to_do.py [--runs 200] [--epochs 5] [--repeats 5]
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/helpers"))

from snakemake_runs import ROOT, command, finish, succeed

from engine.words import Verdict, verdicts
from ssl_collapse.provenance.content import digest, look, vouch
from ssl_collapse.provenance.made_from import told
from ssl_collapse.provenance.sidecar import TOLD, Sidecar, path_of

SOURCES = ("Snakefile", "rules", "workflow", "profiles", "envs")
TARGET = 1.3
SHOWN = ("dataset.json", "training.csv", "encoder.safetensors", "summary.csv")  # by the report
# `--touch` records results without making them; it would sleep 0.1 s for each job.
TOUCH = (
    "import sys; from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0;"
    "from snakemake.cli import main; main(sys.argv[1:])"
)
Jobs = list[Verdict]
Seconds = tuple[float, float]  # of a core, and of the clock


def main() -> None:
    """Prepare both workflows, ask them in turn, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=5, help="analysed epochs of each run")
    parser.add_argument("--repeats", type=int, default=5, help="invocations of each workflow")
    parser.add_argument("--keep", type=Path, help="prepare here, and leave it there")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="nothing-to-do-"))
    ours, bare = folder / "ours", folder / "bare"
    if not ours.exists():
        jobs = prepare_ours(ours, args.runs, args.epochs)
        prepare_bare(bare, jobs)
        (folder / "jobs").write_text(str(len(jobs)))
    seconds: dict[Path, list[Seconds]] = {ours: [], bare: []}
    for i in range(args.repeats):
        for place in sorted(seconds, reverse=i % 2 == 0):
            seconds[place].append(ask(place))
    report(int((folder / "jobs").read_text()), seconds[ours], seconds[bare])
    if not args.keep:
        shutil.rmtree(folder)


def prepare_ours(folder: Path, runs: int, epochs: int) -> Jobs:
    """The workflow with a config of so many runs, every result made up and recorded."""
    copy_sources(folder)
    (folder / "config.yaml").write_text(json.dumps(experiment(runs, epochs)))
    plan = verdicts(["--directory", str(folder), "--snakefile", str(folder / "Snakefile")])
    digests: dict[str, str] = {}
    for job in plan:
        for output in job.outputs:
            digests[output] = make_up_result(folder / output)
            inputs = {path: digests[path] for path in job.inputs}
            if job.rule == "report":
                files = [Path(name).relative_to("results") for name in digests]
                shown = dict.fromkeys(str(f.parent) for f in files if f.name in SHOWN)
                inputs[TOLD] = told(str(folder / "results"), shown)
            sidecar = Sidecar(
                rule=job.rule,
                spec=job.spec,
                code=job.code,
                modules={},
                inputs=inputs,
                bytes=look(folder / output).bytes,
                sha256=digests[output],
            )
            path_of(folder / output).write_text(sidecar.model_dump_json())
            vouch(folder / output, look(folder / output))
    timed(folder, "--cores", "1")  # which remembers the sources that it has parsed
    return plan


def copy_sources(folder: Path) -> None:
    """The workflow's own files, without a config, in a new folder."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)


def experiment(runs: int, epochs: int) -> dict[str, Any]:
    """A config: one dataset, so many runs, so many analysed epochs."""
    return {
        "datasets": {
            "textures": {"source": {"kind": "textures", "train_images": 400, "val_images": 100}}
        },
        "defaults": {
            "dataset": "textures",
            "backbone": {"arch": "small_resnet"},
            "batch_size": 32,
            "epochs": epochs,
            "analyze": list(range(1, epochs + 1)),
        },
        "runs": {f"run{i:03d}": {"base_lr": 0.01 + i / 1000} for i in range(runs)},
        "figures": {"figure3": {"kind": "spectra", "runs": [f"run{i:03d}" for i in range(runs)]}},
    }


def prepare_bare(folder: Path, jobs: Jobs) -> None:
    """A Snakefile with the same rules, jobs, files and edges, looked up in a table."""
    folder.mkdir()
    rules: dict[str, Jobs] = {}
    for job in jobs:
        rules.setdefault(job.rule, []).append(job)
    last = [job for rule in ("summarize", "figure", "report") for job in rules[rule]]
    targets = [path for job in last for path in job.outputs]
    lines = [
        "import json",
        "INPUTS = json.load(open('inputs.json'))",
        f"rule all:\n    input: {targets!r}",
    ]
    for rule, (job, *_) in rules.items():
        outputs = ", ".join(map(pattern, job.outputs))
        lines.append(RULE.format(rule=rule, outputs=outputs, key=key(job.outputs[0])))
    (folder / "Snakefile").write_text("\n".join(lines))
    table = {job.outputs[0]: [path for path in job.inputs if path] for job in jobs}
    (folder / "inputs.json").write_text(json.dumps(table))
    make_up(folder, jobs)


RULE = """
rule {rule}:
    input: lambda wildcards: INPUTS[{key}.format(**wildcards)]
    output: {outputs}
    shell: "true"
"""
WILDCARDS = {
    r"(?<=runs/)run\d+": "{run}",
    r"(?<=epoch)\d{4}": "{epoch}",
    r"(?<=representations-)(train|val)": "{split}",
    r"(?<=textures/)(train|val)(?=\.h5)": "{split}",
}  # fmt: skip


def key(path: str) -> str:
    """The path with wildcards, as a Python string."""
    for pattern, wildcard in WILDCARDS.items():
        path = re.sub(pattern, wildcard, path)
    return repr(path)


def pattern(path: str) -> str:
    """An output of a rule, as Python."""
    folder = path.endswith(("/images", "/checkpoints"))
    return f"directory({key(path)})" if folder else key(path)


def make_up_result(path: Path) -> str:
    """A file, or a folder with one; returns its digest."""
    file = path / "content" if path.name in ("images", "checkpoints") else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(path))
    return digest(path)


def make_up(folder: Path, jobs: Jobs) -> None:
    """Write every result and have Snakemake record it."""
    for job in jobs:
        for output in job.outputs:
            make_up_result(folder / output)
    options = ["--touch", "--forceall", "--cores", "64"]
    words = command(folder, *options, snakefile=folder / "Snakefile")
    finish([sys.executable, "-c", TOUCH, *words[3:]], folder).check_returncode()


def timed(folder: Path, *arguments: str) -> tuple[str, Seconds]:
    """What Snakemake prints for the workflow in a folder, and how long it takes."""
    begin, before = time.perf_counter(), os.times()
    printed = succeed(folder, *arguments, snakefile=folder / "Snakefile")
    seconds, after = time.perf_counter() - begin, os.times()
    return printed, (sum(after[2:4]) - sum(before[2:4]), seconds)


def ask(folder: Path) -> Seconds:
    """How long one dry run takes, which must find nothing to do."""
    answer, seconds = timed(folder, "--cores", "1", "--dry-run")
    assert "Nothing to be done" in answer, answer[-3000:]
    return seconds


def report(jobs: int, ours: list[Seconds], bare: list[Seconds]) -> None:
    """One row per workflow for seconds of a core, and one for those of the clock."""
    print(f"{f'nothing to do, {jobs} jobs':<34}{'median s':>10}{'fastest s':>11}")
    for i, what in enumerate(("a core", "the clock")):
        medians = []
        for name, times in (("this workflow", ours), ("bare Snakemake", bare)):
            seconds = [pair[i] for pair in times]
            medians.append(statistics.median(seconds))
            print(f"{f'{name}, {what}':<34}{medians[-1]:>10.2f}{min(seconds):>11.2f}")
        print(f"{f'ratio, {what}':<34}{medians[0] / medians[1]:>10.2f}   target {TARGET}")


if __name__ == "__main__":
    main()
