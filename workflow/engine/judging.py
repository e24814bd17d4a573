"""The judge of this plan's jobs: what Snakemake asks instead of its own records."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.in_store import InStore
from engine.stage import Stages
from engine.storage import StoredLooks
from engine.time_limit import KINDS
from engine.users_images import UsersImages
from ssl_collapse.provenance.code import remember_sources
from ssl_collapse.provenance.content import Looks
from ssl_collapse.provenance.inventory import save
from ssl_collapse.provenance.judge import Planned, judge, spec_changes
from ssl_collapse.provenance.sidecar import named
from ssl_collapse.runtime.digests import remember_digests

# Set by `why` and `verify`: a file for the verdicts on all jobs, and whether to read every byte.
VERDICTS, EVERYTHING = "SSL_COLLAPSE_VERDICTS", "SSL_COLLAPSE_EVERYTHING"


class Judge:
    """Answers for one job at a time, each once.

    names: rule -> its name in this workflow, which a module may call otherwise. dry: whether this
    is a dry run, which writes nothing; asked when a job is judged.
    """

    def __init__(self, stages: Stages, names: Mapping[Any, str], dry: Callable[[], bool]) -> None:
        self.stages, self.names, self._dry = stages, names, dry
        self.everything = EVERYTHING in os.environ
        self.images = UsersImages(stages.plan, stages.results, self.everything)
        self._looks = StoredLooks(stages.storage, self.everything) if stages.storage else Looks()
        self._verdicts: dict[str, str | None] = {}
        self._believed: dict[str, str] = {}  # output -> why it is believed without a look
        self._begun = False

    def begin(self, dag: Any) -> None:
        """Before a plan is judged: say what it would make again; tell `why` and `verify` all."""
        if self._begun:
            return
        self._begun = True
        self._warn_of_other_recipes(dag)
        if VERDICTS in os.environ:
            self._report(dag)

    def __call__(self, job: Any) -> str | None:
        """Why a job must run; None where its results are current."""
        key = str(job.output[0])
        if key not in self._verdicts:
            self._verdicts[key] = self._judge(self.planned(job))
        return self._verdicts[key]

    def planned(self, job: Any) -> Planned:
        """What today's plan says of a job of Snakemake's."""
        name = self.names[job.rule]
        request = self.stages.request(name, job.wildcards, job.input, job.output)
        return Planned(request, self.stages.specs[name](job.wildcards), self.stages.script(name))

    def _judge(self, planned: Planned) -> str | None:
        request = planned.request
        verdict = judge(planned, self._looks, self.everything)
        if verdict is None and request.rule == "dataset":
            verdict = self._judge_images(request.outputs[0])
        if verdict is None and not self._dry():
            remember_sources()
            remember_digests()
            for output in request.outputs:
                if look := self._looks.at(output):
                    look.confirm()
            if self.stages.storage and request.rule in KINDS:
                self.stages.storage.forget_finished(request.outputs[0], KINDS[request.rule])
        return verdict

    def _judge_images(self, description: str) -> str | None:
        """Of a user's own images: whether they are those that the dataset was described from."""
        name = Path(description).parent.name
        if name not in self.stages.plan.users_datasets():
            return None
        comparison = self.images.compare(name)
        if comparison.state == "same":
            if comparison.fresh is not None and not self._dry():
                save(self.images.inventory(name), comparison)
            return None
        if comparison.away:
            note = f"dataset {name}: {comparison.reason}; its results stay as they are"
            self._believed[description] = note
            print(note, file=sys.stderr)
            return None
        return comparison.reason

    def _warn_of_other_recipes(self, dag: Any) -> None:
        """One line where trainings that are there, of another experiment say, are made again.

        Whether or not Snakemake asks for a verdict on them; their sidecars alone are read.
        """
        changed = {}
        for job in dag.jobs:
            if self.names.get(job.rule) == "pretrain":
                output = Path(job.output.training)
                look = self._looks.at(str(output))
                sidecar = look.sidecar if look else None
                spec = self.stages.specs["pretrain"](job.wildcards)
                if sidecar is not None and (changes := list(spec_changes(sidecar.spec, spec))):
                    place = named(str(output.parent), self.stages.results)
                    changed[place.removeprefix("results/")] = changes
        if changed:
            place = min(changed)
            which = "1 training is" if len(changed) == 1 else f"{len(changed)} trainings are"
            print(
                f"{which} there with another recipe and will be made again, e.g. {place}: "
                f"{'; '.join(changed[place][:3])}; `results: FOLDER` in the config keeps both",
                file=sys.stderr,
            )

    def _report(self, dag: Any) -> None:
        """Write the verdicts on our jobs of the plan, causes before what follows from them.

        Another module of the same workflow has a judge of its own, and adds to the same file.
        """
        levels = [[job for job in level if job.rule in self.names] for level in dag.toposorted()]
        jobs = [
            job for level in levels for job in sorted(level, key=lambda job: str(job.output[0]))
        ]
        in_store = InStore(self._looks)
        file = Path(os.environ[VERDICTS])
        rows = json.loads(file.read_text("utf-8")) if file.exists() else []
        for job in jobs:
            planned, reason = self.planned(job), self(job)
            row = planned.request.model_dump(include={"rule", "code", "inputs", "outputs"})
            row |= {"spec": planned.spec, "reason": reason}
            row["stored"] = in_store(planned.request, planned.spec, reason is not None)
            row["believed"] = self._believed.get(planned.request.outputs[0])
            rows.append(row)
        file.write_text(json.dumps(rows), "utf-8")
