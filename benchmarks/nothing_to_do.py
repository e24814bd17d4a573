"""Time to answer "nothing to do", against a bare Snakemake workflow with the same jobs.

200 runs with 5 analysed epochs each, every result present and recorded. The bare workflow has the
same number of jobs of each rule, the same files and the same edges, and nothing else: no config,
no params, no code digests. Both are asked in turn; the ratio of the medians is what our
provenance costs.

    python benchmarks/nothing_to_do.py [--runs 200] [--epochs 5] [--repeats 5]
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

from engine.words import verdicts
from ssl_collapse.provenance.content import digest, look, vouch
from ssl_collapse.provenance.sidecar import Sidecar, path_of

ROOT = Path(__file__).parents[1]
SOURCES = ("Snakefile", "rules", "workflow", "profiles", "envs")
TARGET = 1.3
# `--touch` records results without making them; it would sleep 0.1 s for each job.
TOUCH = (
    "import sys; from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0;"
    "from snakemake.cli import main; main(sys.argv[1:])"
)
Jobs = list[tuple[str, list[str], list[str]]]  # rule, inputs, outputs


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
    seconds: dict[Path, list[float]] = {ours: [], bare: []}
    for _ in range(args.repeats):
        for place, times in seconds.items():
            times.append(ask(place))
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
            sidecar = Sidecar(
                rule=job.rule,
                spec=job.spec,
                code=job.code,
                modules={},
                inputs={path: digests[path] for path in job.inputs},
                bytes=look(folder / output).bytes,
                sha256=digests[output],
            )
            path_of(folder / output).write_text(sidecar.model_dump_json())
            vouch(folder / output, look(folder / output))
    snakemake(folder)  # which remembers the sources that it has parsed
    return [(job.rule, job.inputs, job.outputs) for job in plan]


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
        rules.setdefault(job[0], []).append(job)
    targets = [
        path for rule in ("summarize", "figure", "report") for _, _, o in rules[rule] for path in o
    ]
    lines = [
        "import json",
        "INPUTS = json.load(open('inputs.json'))",
        f"rule all:\n    input: {targets!r}",
    ]
    for rule, members in rules.items():
        outputs = [pattern(path) for path in members[0][2]]
        lines.append(RULE.format(rule=rule, outputs=", ".join(outputs), key=key(members[0][2][0])))
    (folder / "Snakefile").write_text("\n".join(lines))
    table = {outputs[0]: [path for path in inputs if path] for _, inputs, outputs in jobs}
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
    for _, _, outputs in jobs:
        for output in outputs:
            make_up_result(folder / output)
    command = [sys.executable, "-c", TOUCH, "--touch", "--forceall", "--cores", "64"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def snakemake(folder: Path, *arguments: str) -> str:
    """What Snakemake prints."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    run = subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return run.stdout


def ask(folder: Path) -> float:
    """Seconds of one dry run, which must find nothing to do."""
    start = time.perf_counter()
    answer = snakemake(folder, "--dry-run")
    seconds = time.perf_counter() - start
    assert "Nothing to be done" in answer, answer[-3000:]
    return seconds


def report(jobs: int, ours: list[float], bare: list[float]) -> None:
    """One row per workflow."""
    print(f"{'nothing to do':<22}{'jobs':>8}{'median s':>10}{'fastest s':>11}")
    for name, times in (("this workflow", ours), ("bare Snakemake", bare)):
        print(f"{name:<22}{jobs:>8}{statistics.median(times):>10.2f}{min(times):>11.2f}")
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"{'ratio':<22}{ratio:>18.2f}   target {TARGET}")


if __name__ == "__main__":
    main()
