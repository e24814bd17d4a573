"""The store with several at once: folders, machines, disks and users."""

import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from stub_store import OF_A, check, edit_in_place, elsewhere, entries, entry_of
from stub_workflow import StubWorkflow

from ssl_collapse.provenance.prune import prune
from ssl_collapse.runtime.command_line import is_full
from ssl_collapse.runtime.errors import UserError

IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than others, in which nothing waits for a disk."""
    if not IN_MEMORY.is_dir() or IN_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder)


def test_two_machines_that_finish_the_same_key_at_once(
    done: StubWorkflow, monkeypatch: pytest.MonkeyPatch
):
    # both find nothing, both compute; the first is kept
    entry = entry_of(done, "train", "a")
    shutil.rmtree(entry)
    first, second = (elsewhere(done, name) for name in ("first", "second"))
    records = []
    for workflow in (first, second):
        shutil.copytree(done.results, workflow.results)
        workflow.plan()
        records.append(workflow.record(workflow.job("train a")))
    for machine, record in zip("xy", records, strict=True):
        monkeypatch.setattr("ssl_collapse.runtime.files.HOST", machine)
        record.write()
    for record in records:
        record.publish()
    assert (entry / "out/0").samefile(first.path("train", "a"))
    assert not list(done.folder.parent.rglob("*.tmp"))
    check(first)
    check(second)


def test_two_that_take_the_same_entry_at_once(done: StubWorkflow, monkeypatch: pytest.MonkeyPatch):
    # each link gives the one file a new ctime: that is no damage
    from ssl_collapse.provenance import entry, record

    def meanwhile(act: Callable[..., object]) -> Callable[..., object]:
        def both(*arguments: object) -> object:
            try:
                return act(*arguments)
            finally:
                path = entry_of(done, "pack") / "out/0"
                os.link(path, done.folder / f"link{time.monotonic_ns()}")

        return both

    other = elsewhere(done, "other")
    monkeypatch.setattr(entry, "link_all", meanwhile(entry.link_all))
    monkeypatch.setattr(record, "write_text", meanwhile(record.write_text))
    assert other.run() == []
    check(other)


@pytest.mark.parametrize("edited", [False, True])
def test_an_input_that_another_folder_takes_while_a_job_reads_it(done: StubWorkflow, edited: bool):
    record = done.record(done.job("measure a"))
    done.path("measure", "a").write_text(done.clean()[done.path("measure", "a")])
    time.sleep(0.02)
    path = done.path("represent", "a")
    os.link(path, done.folder / "taken")
    if not edited:
        record.write()
        check(done)
        return
    edit_in_place(path, "edited, its size and date kept")
    with pytest.raises(UserError, match="has changed while this job read it"):
        record.write()


def in_child(act: Callable[[], object]) -> int:
    """Run in a fork; its exit code, minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dies_at(number: int, act: Callable[[], object]) -> int:
    """Run in a fork that is killed just before its file operation of this number."""
    events = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime")

    def main() -> None:
        seen = 0

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event in events and "/store-test" in str(arguments[0]):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        act()

    return in_child(main)


@pytest.mark.parametrize("takes", [False, True])
def test_a_node_that_dies_while_linking(in_memory: Path, takes: bool):
    # killed at every file operation of a job that keeps, or takes, its result
    for number in range(1, 200):
        folder = in_memory / f"store-test{number}"
        workflow = StubWorkflow(folder / "here", store=folder / "store")
        workflow.run()
        result = workflow.path("measure", "a")
        result.unlink()
        if not takes:
            shutil.rmtree(workflow.store)
        code = dies_at(number, workflow.run)
        if result.exists():
            assert result.read_text() == workflow.clean()[result]
        workflow.run()
        check(workflow)
        for kept in entries(workflow):
            assert (kept / "out/0").read_text() in workflow.clean().values()
        prune(workflow.store, [workflow.results], 0)
        assert not list(workflow.store.rglob("*.tmp"))
        shutil.rmtree(folder)
        if code == 0:
            break
    assert code == 0 and number > 20


# --- disks ----------------------------------------------------------------------------------------
def test_a_store_on_another_file_system(tmp_path: Path, in_memory: Path):
    workflow = StubWorkflow(tmp_path / "here", store=in_memory)
    workflow.run()
    edit_in_place(workflow.path("train", "a"), "other")  # a copy: the entry stays what it was
    shutil.rmtree(workflow.results / "runs/b")
    assert workflow.run() == []
    check(workflow)
    assert prune(in_memory, [workflow.results], 0).dropped == 0  # what is in results stays


def no_space(*arguments: object, **options: object) -> None:
    raise OSError(28, "No space left on device", str(arguments[-1]))


def test_a_full_disk(
    done: StubWorkflow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with monkeypatch.context() as full:
        full.setattr(os, "link", no_space)
        full.setattr(shutil, "copyfile", no_space)
        done.config["train"]["a"]["lr"] = 0.3
        assert done.run() == [*OF_A, "table"]  # a result that cannot be kept is a result
        assert caplog.text.count("No space left on device") == 4
        check(done)
        shutil.rmtree(done.results / "runs/b")
        with pytest.raises(OSError) as error:
            done.run()
    assert is_full(error.value)
    assert not done.path("train", "b").exists() and not list(done.folder.parent.rglob("*.tmp"))
    done.run()
    check(done)


# --- users ----------------------------------------------------------------------------------------
def as_user(number: int, act: Callable[[], object]) -> None:
    """Run in a fork as another user."""

    def main() -> None:
        os.umask(0o077)
        os.setgroups([])
        os.setgid(54321)
        os.setuid(number)
        act()

    assert in_child(main) == 0


@pytest.fixture
def lab() -> Iterator[Path]:
    """A folder for everybody of a group, with a store in it."""
    if os.getuid():
        pytest.skip("only root can be several users")
    folder = Path(os.path.realpath("/tmp")) / f"lab-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    (folder / "store").mkdir()
    os.chown(folder / "store", 0, 54321)
    folder.chmod(0o777)
    (folder / "store").chmod(0o2775)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("everyone", [False, True])
def test_what_another_user_kept_is_taken_where_the_setting_says_so(lab: Path, everyone: bool):
    def work(name: str) -> None:
        workflow = StubWorkflow(lab / name, store=lab / "store", everyone=everyone)
        # stub results are .txt, which is data
        computed = workflow.run()
        check(workflow)
        (lab / f"{name}.computed").write_text(str(len(computed)))

    as_user(1001, lambda: work("ada"))
    as_user(1002, lambda: work("bob"))
    assert (lab / "ada.computed").read_text() == "8"
    assert (lab / "bob.computed").read_text() == ("0" if everyone else "8")
    # whatever the umask of who wrote it: who may read the store may read it
    for path in (lab / "store").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == 0o2775 if path.is_dir() else mode & 0o444 == 0o444, (path, oct(mode))
    # bob's results are his own, to be written and deleted
    assert {p.stat().st_uid for p in (lab / "bob/results").rglob("*")} == {1002}
