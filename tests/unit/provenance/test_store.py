"""The store, on the miniature of `stub_workflow`: exactly which jobs compute, and which take.

pack --> train a --> represent a --> measure a --+--> table
     \\-> train b --> represent b --> measure b --/
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stub_store import OF_A, OF_B, check, edit_in_place, elsewhere, entries, entry_of
from stub_workflow import StubWorkflow

from engine.in_store import InStore
from ssl_collapse.provenance.content import Looks, look
from ssl_collapse.provenance.prune import prune
from ssl_collapse.provenance.sidecar import path_of
from ssl_collapse.provenance.store import Store
from ssl_collapse.runtime.errors import UserError

BELOW_PACK = [*OF_A, *OF_B, "table"]


def change(stage: str, run: str, **keys: object) -> Callable[[StubWorkflow], None]:
    return lambda w: w.config[stage][run].update(keys)


def rename_run(workflow: StubWorkflow) -> None:
    for stage in ("train", "represent", "measure"):
        workflow.config[stage]["c"] = workflow.config[stage].pop("a")
    workflow.config["table"][""] = {"rows": ["b", "c"]}


# What is done, one after the other; then the jobs that compute and those that take.
CASES: dict[str, tuple[list[Callable[[StubWorkflow], object]], list[str], list[str]]] = {
    "a value and back": (
        [change("train", "a", lr=0.2), StubWorkflow.run, change("train", "a", lr=0.1)],
        [],
        [*OF_A, "table"],
    ),
    "a renamed run": (
        [rename_run],
        ["table"],  # whose rows have names
        ["train c", "represent c", "measure c"],
    ),
    "a seed removed and added again": (
        [
            lambda w: [w.config[s].pop("b") for s in ("train", "represent", "measure")],
            change("table", "", rows=["a"]),
            StubWorkflow.run,
            lambda w: shutil.rmtree(w.results / "runs/b"),
            lambda w: w.config["train"].update(b={"lr": 0.1, "seed": 1}),
            lambda w: w.config["represent"].update(b={"crop": 24}),
            lambda w: w.config["measure"].update(b={"k": 20}),
            change("table", "", rows=["a", "b"]),
        ],
        [],
        [*OF_B, "table"],
    ),
    "a run with the recipe of another": ([change("train", "b", seed=0)], ["table"], OF_B),
    "packed images deleted": ([lambda w: w.path("pack").unlink()], [], ["pack", *BELOW_PACK]),
    "packed images made again": (
        [lambda w: shutil.rmtree(entry_of(w, "pack")), lambda w: w.path("pack").unlink()],
        ["pack"],
        BELOW_PACK,
    ),
    "other code with the same bytes": ([lambda w: w.edit("pack", 10)], ["pack"], BELOW_PACK),
    "other code with other bytes": ([lambda w: w.edit("pack", 2)], ["pack", *BELOW_PACK], []),
    "code and back": (
        [lambda w: w.edit("measure", 2), StubWorkflow.run, lambda w: w.edit("measure", 1)],
        [],
        ["measure a", "measure b", "table"],
    ),
    "all results deleted": ([lambda w: shutil.rmtree(w.results)], [], ["pack", *BELOW_PACK]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_computes_and_what_takes(done: StubWorkflow, case: str):
    events, computed, taken = CASES[case]
    for event in events:
        event(done)
    assert sorted(done.run()) == sorted(computed)
    assert sorted(done.taken) == sorted(taken)
    check(done)


def test_another_folder_with_the_same_store_computes_nothing(done: StubWorkflow):
    # a run moved to another config, or another person of the lab with the same user's rights
    other = elsewhere(done, "other")
    assert other.run() == [] and len(other.taken) == 8
    check(other)
    check(done)


def test_a_folder_copied_with_its_store_is_current_and_goes_on_alone(
    done: StubWorkflow, tmp_path: Path
):
    shutil.copytree(done.results, tmp_path / "copy/here/results")
    shutil.copytree(tmp_path / "store", tmp_path / "copy/store")
    copy = StubWorkflow(tmp_path / "copy/here", store=tmp_path / "copy/store")
    assert copy.plan() == []
    shutil.rmtree(copy.results)
    assert copy.run() == []
    check(copy)


def test_results_and_sidecars_are_the_same_bytes_with_and_without_a_store(
    done: StubWorkflow, tmp_path: Path
):
    shutil.rmtree(done.results)
    done.run()
    without = StubWorkflow(tmp_path / "without")
    without.run()
    files = [p.relative_to(done.results) for p in done.results.rglob("*.*")]
    assert len(files) == 16  # 8 results and their sidecars
    for name in files:
        assert (done.results / name).read_bytes() == (without.results / name).read_bytes()


def test_what_is_taken_or_kept_is_not_read(done: StubWorkflow, monkeypatch: pytest.MonkeyPatch):
    other = elsewhere(done, "other")
    for module in ("content", "entry", "record"):
        monkeypatch.setattr(f"ssl_collapse.provenance.{module}.digest", None)
    assert other.run() == []
    assert other.plan() == []


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "edited, its size and date kept": lambda e: edit_in_place(e / "out/0", "trane"),
    "truncated": lambda e: os.truncate(e / "out/0", 3),
    "empty manifest": lambda e: (e / "manifest.json").write_text(""),
    "no manifest": lambda e: (e / "manifest.json").unlink(),
    "no result": lambda e: (e / "out/0").unlink(),
    "a manifest of another key": lambda e: shutil.copy(
        next(p for p in e.parents[2].glob("??/*/*/manifest.json") if p.parent != e), e
    ),
    "a link to elsewhere": lambda e: replace(
        e / "out/0", lambda path: path.symlink_to("/etc/passwd")
    ),
    "a pipe": lambda e: replace(e / "out/0", os.mkfifo),
    "a folder": lambda e: replace(e / "out/0", Path.mkdir),
    "a huge number": lambda e: (e / "manifest.json").write_text('{"format_version": 1e999}'),
    "no folder": lambda e: (shutil.rmtree(e), e.write_text("")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_removed_and_computed_anew(
    done: StubWorkflow, damage: str, caplog: pytest.LogCaptureFixture
):
    time.sleep(0.02)  # the file system's clock ticks every few ms
    DAMAGES[damage](entry_of(done, "train", "a"))
    done.path("train", "a").unlink()
    assert done.run() == ["train a"]
    assert sorted(done.taken) == sorted([*OF_A[1:], "table"])
    assert "is damaged and removed" in caplog.text
    check(done)
    done.path("train", "a").unlink()  # and now there is a good one
    assert done.run() == []


def test_a_result_edited_in_place_is_not_taken_back_from_the_store(done: StubWorkflow):
    # the entry is the same file
    time.sleep(0.02)
    edit_in_place(done.path("represent", "a"), "edited")
    assert done.run() == ["represent a"]
    check(done)


def test_an_entry_of_another_user_in_our_place_is_not_believed(done: StubWorkflow):
    if os.getuid():
        pytest.skip("only root can give files away")
    entry = entry_of(done, "train", "a")
    os.chown(entry / "manifest.json", 12345, -1)
    done.path("train", "a").unlink()
    assert done.run() == ["train a"]


# --- inputs ---------------------------------------------------------------------------------------
def test_two_results_exchanged_with_their_dates_are_seen_and_not_read_by_a_job(done: StubWorkflow):
    a, b = (done.path("represent", run) for run in "ab")
    spare = a.with_name("spare")
    for one, other in ((a, spare), (b, a), (spare, b)):
        one.rename(other)
    assert done.plan() == ["represent a", "represent b", "measure a", "measure b", "table"]
    with pytest.raises(UserError, match=r"runs/a/represent\.txt is not what .* made again first"):
        done.record(done.job("measure a"))
    assert done.run() == [] and done.taken  # the originals are in the store, under other names
    check(done)


def test_a_large_input_is_read_once_whatever_reads_it(
    done: StubWorkflow, monkeypatch: pytest.MonkeyPatch
):
    time.sleep(0.02)
    done.path("pack").touch()  # no more what its sidecar is dated for
    done.record(done.job("train a"))  # reads it
    monkeypatch.setattr("ssl_collapse.provenance.content._known", {})  # another process
    monkeypatch.setattr("ssl_collapse.provenance.content.digest", lambda path: pytest.fail("read"))
    done.record(done.job("train b"))


# --- prune, and words -----------------------------------------------------------------------------
def test_prune_beside_another_prune(done: StubWorkflow, monkeypatch: pytest.MonkeyPatch):
    """The other removes everything just when the first entry was looked at."""
    store = done.store
    monkeypatch.setattr(
        "ssl_collapse.provenance.prune._digests",
        lambda entry: {str(shutil.rmtree(path)) for path in store.iterdir()},
    )
    pruned = prune(store, [], 0)
    assert (pruned.kept, pruned.dropped) == (0, 0)


def test_prune_drops_what_no_result_links(done: StubWorkflow):
    store = done.store
    assert prune(store, [], 0).dropped == 0  # all are linked, though no folder is named
    done.config["train"]["a"]["lr"] = 0.2
    done.run()  # of the four earlier results of a none is linked any more
    files = [(entry / "out/0").stat() for entry in entries(done)]
    old = sum(file.st_size for file in files if file.st_nlink == 1)
    assert prune(store, [done.results], keep_days=1).dropped == 0
    pruned = prune(store, [done.results], 0)
    assert (pruned.dropped, pruned.bytes_freed, pruned.kept) == (4, old, 8)
    assert prune(store, [done.results], 0).dropped == 0
    done.path("train", "a").unlink()
    assert done.run() == []
    shutil.rmtree(done.results)
    assert prune(store, [], 0).kept == 0
    assert list(store.iterdir()) == []


def test_it_is_said_which_jobs_are_in_the_store(done: StubWorkflow):
    done.config["train"]["a"]["lr"] = 0.2
    done.run()
    done.config["train"]["a"]["lr"] = 0.1
    done.config["measure"]["a"]["k"] = 50
    in_store = InStore(Looks())
    before = {path: look(path) for path in done.folder.parent.rglob("*") if path.is_file()}
    answers = {
        f"{stage} {run}".strip(): in_store(
            done.request(job), job.spec, (stage, run) in (("train", "a"), ("measure", "a"))
        )
        for stage, run, job in done.jobs()
    }
    # of the table nothing can be said: it is made from a measure that is not there yet
    assert [name for name, found in answers.items() if found] == ["train a", "represent a"]
    assert before == {path: look(path) for path in before}


def test_a_result_that_is_not_there_is_looked_for_without_harm(tmp_path: Path):
    store = Store(tmp_path / "none", everyone=True)
    assert store.take("0" * 64, [tmp_path / "out.txt"]) is None
    assert store.noted("0" * 64) is None
    assert not (tmp_path / "none").exists()
    assert not path_of(tmp_path / "out.txt").exists()
