"""A state machine that does to a miniature what people and machines do to results.

It edits configs and code, kills jobs, copies, moves, swaps, restores with old dates, deletes,
and exchanges inputs while a job runs, at random. Whatever happened: after every run that ends
without an error all results are those that a clean computation of the present config would make.
`pytest --sequences 1000` (`make test-all`) runs a thousand of them; failures found by it stay
below as tests of their own.
"""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from stub_workflow import RUNS, STAGES, KilledError, StubWorkflow

from ssl_collapse.provenance.prune import prune
from ssl_collapse.provenance.sidecar import path_of
from ssl_collapse.runtime.errors import UserError

IN_MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
TICK = 0.005  # s: the clock that dates files may tick as slowly as that

runs = st.sampled_from(RUNS)
results = st.sampled_from(
    [
        ("pack", ""),
        *((s, r) for s in ("train", "represent", "measure") for r in RUNS),
        ("table", ""),
    ]
)
of_runs = st.sampled_from(["train", "represent", "measure"])
moments = st.sampled_from(["before", "written"])


class House(RuleBasedStateMachine):
    """One folder of results, and everything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.workflow = StubWorkflow(self.folder / "here", store=self.folder / "store")
        self.aside = self.folder / "aside"

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def run(self, **options) -> None:
        """Run; whatever is said to be done must be what a clean computation makes."""
        self.workflow.run(**options)
        for path, text in self.workflow.clean().items():
            assert path.read_text() == text, f"{path.relative_to(self.folder)} is silently wrong"
        assert self.workflow.plan() == []

    def path(self, result: tuple[str, str]) -> Path:
        return self.workflow.path(*result)

    @rule()
    def snakemake(self) -> None:
        self.run()

    @rule(run=runs, lr=st.sampled_from([0.1, 0.2]), seed=st.sampled_from([0, 1]))
    def change_recipe(self, run: str, lr: float, seed: int) -> None:
        self.workflow.config["train"][run] = {"lr": lr, "seed": seed}

    @rule(run=runs, k=st.sampled_from([20, 50]))
    def change_k(self, run: str, k: int) -> None:
        self.workflow.config["measure"][run] = {"k": k}

    @rule(stage=st.sampled_from(STAGES), version=st.sampled_from([1, 2, 10]))
    def edit_code(self, stage: str, version: int) -> None:
        self.workflow.edit(stage, version)

    @rule(result=results, when=moments)
    def kill(self, result: tuple[str, str], when: str) -> None:
        name = " ".join(result).strip()
        with suppress(KilledError):
            self.run(kill=lambda job, moment: (job, moment) == (name, when))

    @rule(result=results, version=st.sampled_from([1, 2]))
    def edit_code_while_a_job_runs(self, result: tuple[str, str], version: int) -> None:
        """And put it back afterwards, before anybody looks."""
        stage, name = result[0], " ".join(result).strip()
        script = self.workflow.folder / "scripts" / f"{stage}.py"
        before = script.read_text()

        def edit(job: str, moment: str) -> bool:
            if (job, moment) == (name, "before"):
                script.write_text(f"VERSION = {version}\n")
            return False

        with suppress(UserError):
            self.workflow.run(kill=edit)
        script.write_text(before)
        self.workflow.edit(stage, int(before.split()[-1]))

    @rule(days=st.sampled_from([0, 1]))
    def prune(self, days: int) -> None:
        prune(self.folder / "store", [self.workflow.results], days)

    @rule(entry=st.integers(0, 20), text=st.sampled_from(["", "edited", None]))
    def damage_store(self, entry: int, text: str | None) -> None:
        """Edit what is kept, which may be a result, too; None: lose its manifest."""
        kept = sorted((self.folder / "store").glob("??/*/*/out/0"))
        if kept:
            time.sleep(TICK)
            path = kept[entry % len(kept)]
            manifest = path.parents[1] / "manifest.json"
            manifest.unlink(missing_ok=True) if text is None else path.write_text(text)

    @rule(result=results)
    def delete(self, result: tuple[str, str]) -> None:
        self.path(result).unlink(missing_ok=True)

    @rule(result=results)
    def lose_sidecar(self, result: tuple[str, str]) -> None:
        path_of(self.path(result)).unlink(missing_ok=True)

    @rule(result=results)
    def empty_sidecar(self, result: tuple[str, str]) -> None:
        if path_of(self.path(result)).exists():
            path_of(self.path(result)).write_text("")

    @rule(result=results)
    def edit_and_keep_size_and_date(self, result: tuple[str, str]) -> None:
        path = self.path(result)
        if path.exists():
            time.sleep(TICK)
            status = path.stat()
            path.write_text(path.read_text()[::-1])
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @rule(stage=of_runs, sidecar=st.booleans())
    def copy_over_the_other_run(self, stage: str, sidecar: bool) -> None:
        a, b = (self.workflow.path(stage, run) for run in RUNS)
        if a.exists() and b.exists() and not a.samefile(b):  # with one recipe they are one file
            time.sleep(TICK)
            shutil.copy2(a, b)
            if sidecar and path_of(a).exists():
                shutil.copy2(path_of(a), path_of(b))

    @rule(stage=of_runs, sidecar=st.booleans())
    def exchange_files_of_runs(self, stage: str, sidecar: bool) -> None:
        a, b = (self.workflow.path(stage, run) for run in RUNS)
        pairs = [(a, b), *([(path_of(a), path_of(b))] if sidecar else [])]
        if all(path.exists() for pair in pairs for path in pair):
            time.sleep(TICK)
            for one, other in pairs:
                exchange(one, other)

    @rule()
    def exchange_runs(self) -> None:
        a, b = (self.workflow.results / "runs" / run for run in RUNS)
        if a.exists() and b.exists():
            exchange(a, b)

    @rule(move=st.booleans())
    def put_aside(self, move: bool) -> None:
        """Keep the results as they are now; moved away, or copied with their dates."""
        if self.workflow.results.exists():
            shutil.rmtree(self.aside, ignore_errors=True)
            if move:
                shutil.move(self.workflow.results, self.aside)
            else:
                shutil.copytree(self.workflow.results, self.aside)

    @rule(how=st.sampled_from(["instead", "over", "one run"]))
    def bring_back(self, how: str) -> None:
        """Results from earlier, in place of those that are there or copied over them."""
        if not self.aside.exists():
            return
        time.sleep(TICK)
        if how == "instead":
            shutil.rmtree(self.workflow.results, ignore_errors=True)
        source, target = self.aside, self.workflow.results
        if how == "one run":
            source, target = source / "runs/a", target / "runs/b"
        if source.exists():
            shutil.copytree(source, target, dirs_exist_ok=True, copy_function=copy_over)

    @rule()
    def touch(self) -> None:
        for path in self.workflow.results.rglob("*"):
            os.utime(path)


def copy_over(source: str, target: str) -> None:
    """As `cp` does: where both are links to one file already, there is nothing to copy."""
    if not (Path(target).exists() and Path(target).samefile(source)):
        shutil.copy2(source, target)


def exchange(one: Path, other: Path) -> None:
    spare = one.with_name("spare")
    one.rename(spare)
    other.rename(one)
    spare.rename(other)


def test_no_sequence_of_events_leaves_a_wrong_result_behind(request: pytest.FixtureRequest):
    run_state_machine_as_test(
        House,
        settings=settings(
            max_examples=request.config.getoption("--sequences"),
            stateful_step_count=12,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
