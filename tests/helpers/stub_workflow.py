r"""A miniature of the workflow whose stages take no time: two runs, six stages, any folder.

    pack --> train a --> represent a --> measure a --+--> table
         \-> train b --> represent b --> measure b --/

A stage writes one line: its name, its part of the config, the number VERSION in its script, and
what it read. So whatever should change a result does, and a clean computation is one expression.
From version 10 on a stage writes what version 1 does: other code, the same bytes.
The jobs are planned, judged and recorded by the project's own code; what Snakemake does with the
answers (follow from inputs to outputs, delete outputs before a job) is done here in a few lines.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ssl_collapse.provenance.code import code_digest, equal_code, forget
from ssl_collapse.provenance.content import Look, Looks
from ssl_collapse.provenance.judge import Planned, judge
from ssl_collapse.provenance.record import Record
from ssl_collapse.provenance.sidecar import Request

STAGES = ("pack", "train", "represent", "measure", "table")
RUNS = ("a", "b")


class KilledError(Exception):
    """The job died where the test wanted it to."""


@dataclass
class StubWorkflow:
    """A folder with scripts, a config in memory, and results."""

    folder: Path
    config: dict[str, dict] = field(default_factory=dict)
    store: Path | None = None
    everyone: bool = False
    taken: list[str] = field(default_factory=list)  # by the last run

    def __post_init__(self) -> None:
        self.config = {
            "pack": {"": {"size": 32}},
            "train": {run: {"lr": 0.1, "seed": i} for i, run in enumerate(RUNS)},
            "represent": {run: {"crop": 24} for run in RUNS},
            "measure": {run: {"k": 20} for run in RUNS},
            "table": {"": {"rows": list(RUNS)}},
        }
        (self.folder / "scripts").mkdir(parents=True)
        for stage in STAGES:
            self.edit(stage, 1)

    @property
    def results(self) -> Path:
        """The folder of results."""
        return self.folder / "results"

    def edit(self, stage: str, version: int) -> None:
        """Change the code of a stage."""
        (self.folder / "scripts" / f"{stage}.py").write_text(f"VERSION = {version}\n")
        forget()

    def path(self, stage: str, run: str = "") -> Path:
        """The result of a stage."""
        return self.results / (f"runs/{run}/{stage}.txt" if run else f"{stage}.txt")

    def jobs(self) -> Iterator[tuple[str, str, Planned]]:
        """Stage, run and plan of every job, causes first."""
        for stage in STAGES:
            for run in self.config[stage]:
                inputs = [self.path(*above) for above in self.above(stage, run)]
                script = self.folder / "scripts" / f"{stage}.py"
                yield (
                    stage,
                    run,
                    Planned(
                        Request(
                            rule=stage,
                            code=equal_code(stage, code_digest(script, self.folder)),
                            plugins=[],
                            inputs=list(map(str, inputs)),
                            outputs=[str(self.path(stage, run))],
                            results=str(self.results),
                            roles=[""] * len(inputs),
                            parts=[""],
                            store=str(self.store or ""),
                            everyone=self.everyone,
                        ),
                        json.dumps(self.config[stage][run], sort_keys=True),
                        script,
                    ),
                )

    def above(self, stage: str, run: str) -> list[tuple[str, str]]:
        """What a stage reads."""
        return {
            "pack": [],
            "train": [("pack", "")],
            "represent": [("pack", ""), ("train", run)],
            "measure": [("represent", run)],
            "table": [("measure", name) for name in self.config["measure"]],
        }[stage]

    def plan(self) -> list[str]:
        """The jobs that would run: those judged so, and what is made from their results."""
        made: set[str] = set()
        names = []
        looks = Looks()
        for stage, run, job in self.jobs():
            if judge(job, looks) is not None or made & set(job.request.inputs):
                made.update(job.request.outputs)
                names.append(f"{stage} {run}".strip())
        return names

    def run(self, kill: Callable[[str, str], bool] = lambda name, when: False) -> list[str]:
        """Run what is to be run, as Snakemake would; returns the jobs that computed.

        kill: whether a job dies, given its name and "before", "computed" or "written".
        """
        wanted, computed, self.taken = self.plan(), [], []
        for stage, run, job in self.jobs():
            name = f"{stage} {run}".strip()
            if name not in wanted:
                Look.at(Path(job.request.outputs[0])).confirm()
                continue
            output = Path(job.request.outputs[0])
            output.unlink(missing_ok=True)  # as Snakemake does before a job
            output.parent.mkdir(parents=True, exist_ok=True)
            record = self.record(job)
            self._die(kill, name, "before")
            if record.take():
                self.taken.append(name)
                continue
            computed.append(name)
            text = self.compute(stage, run, [Path(path).read_text() for path in job.request.inputs])
            output.write_text(text)
            self._die(kill, name, "written")
            record.write()
            record.publish()
        return computed

    def job(self, name: str) -> Planned:
        """A job by its stage and run: "train a"."""
        return next(job for s, r, job in self.jobs() if f"{s} {r}".strip() == name)

    def record(self, job: Planned) -> Record:
        """What a job that starts now notes."""
        return Record(self.request(job), job.spec, job.script, self.folder)

    def request(self, job: Planned) -> Request:
        """What a job is told about itself."""
        return job.request

    @staticmethod
    def _die(kill: Callable[[str, str], bool], name: str, when: str) -> None:
        if kill(name, when):
            raise KilledError(f"{name}, {when}")

    def compute(self, stage: str, run: str, read: list[str]) -> str:
        """The one line that a stage writes."""
        code = (self.folder / "scripts" / f"{stage}.py").read_text()
        version = int(re.search(r"VERSION = (\d+)", code)[1]) % 9  # 10 as 1
        above = hashlib.sha256("".join(read).encode()).hexdigest()[:8]
        return f"{stage} {json.dumps(self.config[stage][run])} {version} {above}\n"

    def clean(self) -> dict[Path, str]:
        """Every result as a computation from nothing would make it."""
        made: dict[Path, str] = {}
        for stage, run, _ in self.jobs():
            read = [made[self.path(*above)] for above in self.above(stage, run)]
            made[self.path(stage, run)] = self.compute(stage, run, read)
        return made
