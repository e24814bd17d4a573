"""The judge in place of Snakemake's triggers, on a workflow of three rules.

    ours_one --> ours_two --> theirs          ours: judged by the file `verdicts.json`

If this breaks with another version of Snakemake: engine/hooks.py names what it replaces; look up
how `DAG.update_needrun` decides there, and adapt hooks.py and its list of names.
"""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.io import _IOFile
from snakemake_runs import Server, planned, snakemake

from engine.hooks import carry_along

LIBRARY = Path(__file__).parents[3] / "workflow"
SNAKEFILE = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(LIBRARY)!r})
from engine.hooks import before_planning, leave_dates, let_judge

rule theirs:
    input: "two"
    output: "three"
    shell: "cp two three"

rule ours_one:
    output: "one"
    shell: "echo 1 > one"

rule ours_two:
    input: "one"
    output: "two"
    params: number=lambda wildcards: Path("number").read_text()
    shell: "cp one two"

verdicts = json.loads(Path("verdicts.json").read_text())
let_judge(
    [rules.ours_one.rule, rules.ours_two.rule],
    lambda job: verdicts.get(job.rule.name),
    lambda dag: Path("begun").write_text(str(sorted(job.rule.name for job in dag.jobs))),
)
leave_dates([rules.ours_one.rule, rules.ours_two.rule])
asked = Path("asked")
before_planning(workflow, lambda: asked.write_text(str(list(workflow.dag_settings.targets))))
"""


class Miniature:
    """The three rules in a folder, all of them made."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self._server = folder, server
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "number").write_text("1")
        self.judge({})
        self.snakemake("--cores", "1", "three")

    def judge(self, verdicts: dict[str, str]) -> None:
        (self.folder / "verdicts.json").write_text(json.dumps(verdicts))

    def snakemake(self, *arguments: str) -> str:
        return self._server(self.folder, *arguments)

    def plan(self) -> list[str]:
        return [job.rule for job in planned(self.snakemake("--dry-run", "three"))]


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Miniature]:
    with Server(processes=1) as server:
        yield Miniature(tmp_path_factory.mktemp("hooks"), server)


def test_without_a_reason_nothing_runs_whatever_dates_and_params_say(miniature: Miniature):
    assert miniature.plan() == []
    (miniature.folder / "number").write_text("2")  # a param that Snakemake would compare
    os.utime(miniature.folder / "two", (0, 0))  # and an output that is older than its input
    assert miniature.plan() == []


def test_params_of_a_job_that_does_not_run_are_not_written(miniature: Miniature):
    number = miniature.folder / "number"
    number.unlink()  # which a param would read
    assert miniature.plan() == []
    number.write_text("1")


def test_a_job_leaves_the_dates_of_its_outputs(miniature: Miniature):
    # Snakemake would touch them, and refuse one that is older than what it is made from
    path = miniature.folder / "Snakefile"
    text = SNAKEFILE.replace("cp one two", "cp one two; touch -d 2001-01-01 two")
    path.write_text(text)
    miniature.judge({"ours_two": "again"})
    miniature.snakemake("--cores", "1", "two")
    assert time.gmtime((miniature.folder / "two").stat().st_mtime).tm_year in (2000, 2001)
    path.write_text(SNAKEFILE)
    miniature.snakemake("--cores", "1", "three")
    miniature.judge({})


def test_a_reason_makes_the_job_run_and_what_follows(miniature: Miniature):
    miniature.judge({"ours_two": "k 20 -> 50"})
    assert miniature.plan() == ["ours_two", "theirs"]
    assert "k 20 -> 50" in miniature.snakemake("--dry-run", "three")
    assert "--rerun-triggers" not in miniature.snakemake("--dry-run", "three")
    miniature.judge({})


def test_the_rules_of_others_go_by_snakemakes_own_triggers(miniature: Miniature):
    path = miniature.folder / "Snakefile"
    path.write_text(SNAKEFILE.replace("cp two three", "cat two > three"))
    assert miniature.plan() == ["theirs"]
    path.write_text(SNAKEFILE)
    assert miniature.plan() == []


def test_marks_of_incomplete_jobs_are_not_believed(miniature: Miniature):
    # as after `kill -9` of Snakemake, whose job ended well: the judge knows, the mark does not
    marks = miniature.folder / ".snakemake/incomplete"
    name = subprocess.run(["basenc", "--base64url"], input=b"two", capture_output=True).stdout
    (marks / name.decode().strip()).write_text("")
    assert miniature.plan() == []


def test_what_was_asked_for_is_known_before_planning(miniature: Miniature):
    miniature.plan()
    assert (miniature.folder / "asked").read_text() == "['three']"


def test_the_whole_plan_is_told_also_where_nothing_is_judged(miniature: Miniature):
    one = miniature.folder / "one"
    one.unlink()  # `ours_two` is made from it, and so nobody asks for a verdict on it
    miniature.plan()
    assert (miniature.folder / "begun").read_text() == "['ours_one', 'ours_two', 'theirs']"
    miniature.snakemake("--cores", "1", "three")


def test_a_version_without_these_names_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(LIBRARY))
    from snakemake.jobs import Job

    from engine import hooks

    monkeypatch.delattr(Job, "output_mintime")
    with pytest.raises(hooks.UserError, match=r"Snakemake .* has no Job\.output_mintime, by which"):
        hooks._install()


TRIES = f"""
import sys
sys.path.insert(0, {str(LIBRARY)!r})
from engine.hooks import give_more_tries

rule stubborn:  # succeeds at the fifth attempt
    output: "done"
    shell: "echo >> attempts; [ $(wc -l < attempts) -ge 5 ] && touch done"

if "free" in config:
    give_more_tries(lambda job: min(job.attempt, 3), [rules.stubborn.rule])
"""


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        (["--retries", "1", "--config", "free=1"], 5),  # three of them use up no retry
        (["--config", "free=1"], 1),  # nobody asked for retries
    ],
)
def test_attempts_that_made_progress_use_up_no_retry(
    tmp_path: Path, options: list[str], attempts: int
):
    (tmp_path / "Snakefile").write_text(TRIES)
    snakemake(tmp_path, "--cores", "1", *options, snakefile=tmp_path / "Snakefile")
    assert len((tmp_path / "attempts").read_text().splitlines()) == attempts
    assert (tmp_path / "done").exists() == (attempts == 5)


def test_a_carrier_is_told_of_what_is_stored_and_fetched(monkeypatch: pytest.MonkeyPatch):
    said: list[tuple[str, str]] = []

    async def store(file: str) -> None:
        said.append(("they store", file))

    async def retrieve(file: str) -> None:
        said.append(("they fetch", file))

    monkeypatch.setattr(_IOFile, "store_in_storage", store)  # and must be there
    monkeypatch.setattr(_IOFile, "retrieve_from_storage", retrieve)
    steps = ("before_storing", "after_storing", "before_fetching", "after_fetching")
    carrier = {step: lambda file, step=step: said.append((step, file)) for step in steps}
    carry_along(SimpleNamespace(**carrier))
    asyncio.run(_IOFile.store_in_storage("a"))
    asyncio.run(_IOFile.retrieve_from_storage("b"))
    stored = [(step, "a") for step in ("before_storing", "they store", "after_storing")]
    assert said[:3] == stored
    assert said[3:] == [(step, "b") for step in ("before_fetching", "they fetch", "after_fetching")]
