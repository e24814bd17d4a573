"""What makes a result stale, on the miniature of `stub_workflow`: six stages that take no time.

The answers are lists of jobs: the one that is not current, and all that is made from it.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stub_workflow import StubWorkflow

from ssl_collapse.provenance import job as jobs
from ssl_collapse.provenance.code import code_digest
from ssl_collapse.provenance.content import Look, Looks, content, digest, look, vouch
from ssl_collapse.provenance.judge import Planned, judge, spec_changes
from ssl_collapse.provenance.record import Record
from ssl_collapse.provenance.sidecar import Request, Sidecar, path_of
from ssl_collapse.runtime.errors import UserError

BELOW = {
    "train a": ["train a", "represent a", "measure a", "table"],
    "represent a": ["represent a", "measure a", "table"],
    "measure a": ["measure a", "table"],
}


@pytest.fixture
def done(tmp_path: Path) -> StubWorkflow:
    """Every result made; nothing to do."""
    workflow = StubWorkflow(tmp_path / "here")
    assert len(workflow.run()) == 8
    assert workflow.plan() == []
    time.sleep(0.02)  # the file system's clock ticks every few ms
    return workflow


def reason(workflow: StubWorkflow, name: str) -> str | None:
    return judge(workflow.job(name), Looks())


def restore(path: Path, text: str) -> None:
    """Write a file and give it the date that it had, as `cp -p` and `rsync -t` do."""
    status = path.stat()
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# what is edited, the job that it makes stale, and why
EDITS = [
    (lambda w: w.config["train"].update(a={"lr": 0.2, "seed": 0}), "train a", "lr 0.1 -> 0.2"),
    (lambda w: w.config["measure"].update(a={"k": 50}), "measure a", "k 20 -> 50"),
    (lambda w: w.config["measure"]["a"].update(new=1), "measure a", "new (none) -> 1"),
    (lambda w: w.path("measure", "a").unlink(), "measure a", "not there yet"),
    (
        lambda w: path_of(w.path("measure", "a")).unlink(),
        "measure a",
        "there is no measure.txt.provenance.json beside it",
    ),
    (
        lambda w: path_of(w.path("measure", "a")).write_text("{"),
        "measure a",
        "measure.txt.provenance.json beside it is damaged or of another version",
    ),
    (
        lambda w: restore(w.path("represent", "a"), "other bytes, the old date"),
        "represent a",
        "represent.txt was changed after it was made",
    ),
    (  # a result of the other run, with its date and as long as the one it replaces
        lambda w: shutil.copy2(w.path("train", "b"), w.path("train", "a")),
        "train a",
        "train.txt was changed after it was made",
    ),
]


@pytest.mark.parametrize(("edit", "stale", "why"), EDITS, ids=[why for _, _, why in EDITS])
def test_what_makes_a_result_stale(done: StubWorkflow, edit, stale: str, why: str):
    edit(done)
    assert reason(done, stale) == why
    assert done.plan() == BELOW[stale]
    done.run()
    assert done.plan() == []
    assert all(path.read_text() == text for path, text in done.clean().items())


def test_the_code_of_a_stage(done: StubWorkflow):
    done.edit("measure", 2)
    assert reason(done, "measure a") == "code changed: measure (script)"
    assert done.plan() == ["measure a", "measure b", "table"]
    done.edit("measure", 1)
    assert done.plan() == []


def test_dates_copies_and_moves_change_nothing(done: StubWorkflow, tmp_path: Path):
    for path in done.results.rglob("*.txt"):
        os.utime(path, (0, 0))
    assert done.plan() == []
    shutil.copytree(done.results, tmp_path / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(done.results)
    shutil.move(tmp_path / "copy", done.results)
    assert done.plan() == []


def test_the_results_of_another_config_in_the_folder_are_not_taken_for_these(
    done: StubWorkflow, tmp_path: Path
):
    # mv results r05; run with another lr; mv r05 back
    shutil.move(done.results, tmp_path / "r05")
    done.config["train"]["a"] = {"lr": 0.5, "seed": 0}
    done.run()
    shutil.rmtree(done.results)
    shutil.move(tmp_path / "r05", done.results)
    assert done.plan() == BELOW["train a"]


def test_folders_of_two_runs_exchanged(done: StubWorkflow, tmp_path: Path):
    # a and b have other seeds; what is below them only knows by its inputs
    runs = done.results / "runs"
    for source, target in (("a", "x"), ("b", "a"), ("x", "b")):
        (runs / source).rename(runs / target)
    assert reason(done, "train a") == "seed 1 -> 0"
    assert done.plan()[:2] == ["train a", "train b"]


def test_one_file_of_two_runs_exchanged_with_its_sidecar(done: StubWorkflow):
    # The sidecars fit the files, and spec and code are equal; the inputs recorded are others.
    a, b = (done.path("represent", run) for run in "ab")
    for one, other in ((a, b), (path_of(a), path_of(b))):
        spare = one.with_name("spare")
        one.rename(spare)
        other.rename(one)
        spare.rename(other)
    assert reason(done, "represent a") is not None
    done.run()
    assert all(path.read_text() == text for path, text in done.clean().items())


def test_an_unchanged_result_is_not_read(done: StubWorkflow, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ssl_collapse.provenance.content.digest", lambda path: pytest.fail("read"))
    assert done.plan() == []


def test_a_copied_result_is_read_once(done: StubWorkflow, monkeypatch: pytest.MonkeyPatch):
    path = done.path("pack")
    text = path.read_text()
    time.sleep(0.02)
    path.write_text(text)  # the same bytes: a later ctime
    done.run()  # a run that finds nothing to do notes what it has read
    monkeypatch.setattr("ssl_collapse.provenance.content.digest", lambda path: pytest.fail("read"))
    assert done.plan() == []


def test_an_edit_is_seen_also_where_the_sidecar_was_touched_after_it(done: StubWorkflow):
    # found by the state machine: the order of the two dates proves nothing
    restore(done.path("pack"), done.path("pack").read_text()[::-1])
    for path in done.results.rglob("*"):
        os.utime(path)
    assert reason(done, "pack") == "pack.txt was changed after it was made"


def test_a_job_refuses_code_that_is_not_the_planned_one(done: StubWorkflow):
    job = done.job("measure a")
    done.edit("measure", 2)
    with pytest.raises(UserError, match="code has changed since this job was planned"):
        done.record(job)


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        (lambda w: w.edit("measure", 2), "code has changed while this job ran"),
        (lambda w: w.path("represent", "a").write_text("b"), "has changed while this job read it"),
    ],
)
def test_code_or_an_input_that_changes_while_a_job_runs_leaves_no_sidecar(
    done: StubWorkflow, meanwhile: Callable[[StubWorkflow], object], why: str
):
    record = done.record(done.job("measure a"))
    path_of(done.path("measure", "a")).unlink()
    meanwhile(done)
    with pytest.raises(UserError, match=why):
        record.write()
    assert not path_of(done.path("measure", "a")).exists()


def test_a_sidecar_does_not_vouch_for_what_another_process_wrote(
    done: StubWorkflow, monkeypatch: pytest.MonkeyPatch
):
    output = done.path("measure", "a")
    record = done.record(done.job("measure a"))

    def digest_then_replaced(path: Path) -> str:
        found = digest(path)
        output.write_text("written by another process in this very moment")
        return found

    monkeypatch.setattr("ssl_collapse.provenance.record.digest", digest_then_replaced)
    with pytest.raises(UserError, match="another process has just written it"):
        record.write()
    assert not path_of(output).exists()


def test_a_folder_is_known_by_names_and_bytes(tmp_path: Path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).write_text(name)
    first = digest(folder)
    (folder / ".snakemake_timestamp").touch()  # Snakemake's, and no content
    assert digest(folder) == first
    assert look(folder).bytes == 6  # three letters each
    (folder / "two").rename(folder / "three")
    assert digest(folder) != first


def test_subfolders_that_change_places_are_seen_though_no_file_has_a_new_date(tmp_path: Path):
    # as two classes of images: mv cat t; mv dog cat; mv t dog
    images = tmp_path / "images"
    for name, text in (("cat", "meow"), ("dog", "woof")):
        (images / name).mkdir(parents=True)
        (images / name / "0.png").write_text(text)
    made = digest(images)
    sidecar = Sidecar(
        rule="textures", spec="{}", code="", modules={}, inputs={}, bytes=8, sha256=made
    )
    path_of(images).write_text(sidecar.model_dump_json())
    vouch(images, look(images))
    assert content(images) == made
    (images / "cat").rename(images / "t")
    (images / "dog").rename(images / "cat")
    (images / "t").rename(images / "dog")
    assert content(images) == digest(images) != made


def test_rows_in_another_order_are_another_spec():
    # the runs of a figure, [a, b] -> [b, a]: known by their names, and yet in an order
    one, other = (f'{{"runs":[{{"name":"{x}"}},{{"name":"{y}"}}]}}' for x, y in ("ab", "ba"))
    assert list(spec_changes(one, one)) == []
    assert list(spec_changes(one, other)) == ["the same rows in another order"]


@pytest.mark.parametrize("edited", [False, True])
def test_a_training_keeps_its_state_until_its_results_count(
    done: StubWorkflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: bool
):
    # The code is edited while it trains: its results do not count. With the edit undone the same
    # command is to publish them again, not to train again.
    planned = done.job("train a")
    output, state = Path(planned.request.outputs[0]), tmp_path / "state"
    state.write_text("all epochs")

    def main(args: argparse.Namespace):
        output.unlink()
        os.link(state, output)
        if edited:
            done.edit("train", 2)
        return state.unlink

    parser = argparse.ArgumentParser()
    parser.add_argument("--spec")
    words = ["--spec", planned.spec, "--provenance", done.request(planned).model_dump_json()]
    monkeypatch.setattr(sys, "argv", [str(planned.script), *words])
    monkeypatch.setattr(jobs, "LIBRARY", done.folder)
    if edited:
        with pytest.raises(SystemExit):
            jobs.run(parser, main)
        assert state.exists()
    else:
        jobs.run(parser, main)
        assert not state.exists()
        monkeypatch.setattr("ssl_collapse.provenance.content.digest", None)  # nothing is read
        assert judge(planned, Looks()) is None


def test_results_in_a_folder_of_another_user_are_read_and_not_dated(
    done: StubWorkflow, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    result = done.path("train", "a")
    result.touch()
    monkeypatch.setattr(os, "utime", refuse)
    Look.at(result).confirm()
    assert done.plan() == []


def test_a_report_tells_of_the_recipes_that_are_there(tmp_path: Path, monkeypatch):
    """Another recipe may give the same training.csv, of which alone the report's inputs know."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "report.py"
    script.write_text("")
    code = code_digest(script, tmp_path)

    def request(rule: str, output: str, *told: str) -> Request:
        return Request(rule=rule, code=code, plugins=[], inputs=[], outputs=[output], parts=[""],
                       told=list(told), store="results/store")  # fmt: skip

    def make(rule: str, output: str, spec: str, *told: str) -> bool:
        record = Record(request(rule, output, *told), spec, script, tmp_path)
        if taken := record.take():
            return taken
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).unlink(missing_ok=True)
        Path(output).write_text("the same")
        record.write()
        record.publish()
        return taken

    def why() -> str | None:
        return judge(Planned(request("report", page, "runs/a"), "{}", script), Looks())

    page, training = "results/report.html", "results/runs/a/training.csv"
    make("pretrain", training, '{"blur": 1}')
    assert not make("report", page, "{}", "runs/a") and why() is None
    make("pretrain", training, '{"blur": 2}')
    assert why() == "the recipes and codes that it tells of are others"
    assert not make("report", page, "{}", "runs/a") and why() is None
    make("pretrain", training, '{"blur": 1}')
    assert make("report", page, "{}", "runs/a") and why() is None  # the first, from the store
