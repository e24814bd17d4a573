"""What counts as made in a storage, and what is carried beside it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.storage import Listing, Storage, StoredLooks, storage_of
from ssl_collapse.provenance.content import digest
from ssl_collapse.provenance.sidecar import SUFFIX, Sidecar, path_of
from ssl_collapse.runtime.errors import UserError

NAME = "runs/iid/seed0/training.csv"


class Node:
    """A machine with local copies of its own, before one storage."""

    def __init__(self, root: Path, name: str) -> None:
        self.bucket, self.folder = root / "bucket", root / name
        self.storage = Storage(str(self.bucket), str(self.folder))
        self.file = self.folder / NAME

    def make(self, text: str) -> None:
        """What a job leaves: a result, its sidecar, and what lies beside."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)
        self.file.with_name("speed.csv").write_text("fast")
        state = {"rule": "pretrain", "spec": "{}", "code": "", "modules": {}, "inputs": {}}
        sidecar = Sidecar(**state, bytes=len(text), sha256=digest(self.file))
        path_of(self.file).write_text(sidecar.model_dump_json())

    def store(self) -> None:
        """As Snakemake does, which itself carries the result alone."""
        self.storage.before_storing(str(self.file))
        self.storage.objects.put(self.file, NAME)
        self.storage.after_storing(str(self.file))

    def fetch(self) -> str:
        """Likewise; what is here then."""
        self.storage.before_fetching(str(self.file))
        if not self.file.exists():
            self.storage.objects.get(NAME, self.file)
        self.storage.after_fetching(str(self.file))
        return self.file.read_text()

    def seen(self) -> str | None:
        """What a judge who looks now says is in the result."""
        storage = Storage(str(self.bucket), str(self.folder))
        look = StoredLooks(storage).at(str(self.file))
        return look and (look.content() if look.sidecar else "no sidecar")


@pytest.fixture
def one(tmp_path: Path) -> Node:
    node = Node(tmp_path, "one")
    node.make("a")
    node.store()
    return node


def test_a_result_is_what_its_sidecar_says_on_another_node(one: Node, tmp_path: Path):
    two = Node(tmp_path, "two")
    assert two.seen() == digest(one.file) and not two.folder.exists(), "nothing is fetched for that"
    assert two.fetch() == "a"
    assert path_of(two.file).read_bytes() == path_of(one.file).read_bytes()
    assert (one.bucket / NAME).with_name("speed.csv").read_text() == "fast"


def edit(bucket: Path) -> None:
    (bucket / NAME).write_text("b")


def exchange_sidecar(bucket: Path) -> None:
    sidecar = path_of(bucket / NAME)
    sidecar.write_text(sidecar.read_text().replace('"{}"', '"[]"'))


def remove_mark(bucket: Path) -> None:
    next(bucket.rglob("*.stored-*")).unlink()


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (edit, "changed"),
        (exchange_sidecar, "changed"),
        (remove_mark, "changed"),  # as of a node that was lost while it stored
        (lambda bucket: path_of(bucket / NAME).unlink(), "no sidecar"),
        (lambda bucket: path_of(bucket / NAME).write_text("{"), "no sidecar"),
        (lambda bucket: (bucket / NAME).unlink(), None),
    ],
)
def test_what_is_not_as_it_was_stored_does_not_count(one: Node, harm, seen: str | None):
    harm(one.bucket)
    assert one.seen() == seen


def test_not_everything_is_fetched_to_be_verified(one: Node):
    with pytest.raises(UserError, match="fetch them into a folder"):
        StoredLooks(one.storage, everything=True)


def test_a_result_that_is_stored_again_counts_with_its_new_sidecar(one: Node):
    one.make("b")
    one.storage.before_storing(str(one.file))
    assert one.seen() == "changed", "while it is stored"
    one.store()
    assert one.seen() == digest(one.file)
    assert len(list(one.bucket.rglob("*.stored-*"))) == 1


def test_a_fetched_result_that_is_another_stops_the_job_and_is_made_again(
    one: Node, tmp_path: Path
):
    """Two nodes stored at once: the mark is that of the one's bytes with the other's sidecar."""
    (one.bucket / NAME).write_text("b")
    one.storage.after_storing(str(one.file))
    assert one.seen() == digest(one.file), "what the storage says of it raises no doubt"
    two = Node(tmp_path, "two")
    with pytest.raises(UserError, match=r"training.csv in the storage is not what .* made again"):
        two.fetch()
    assert two.seen() == "changed"


def test_a_stale_local_copy_is_fetched_anew(one: Node, tmp_path: Path):
    two = Node(tmp_path, "two")
    two.make("old")
    assert two.fetch() == "a"


def test_files_that_are_no_results_are_left_alone(one: Node, tmp_path: Path):
    log = one.folder / "logs/pretrain.log"
    for step in (one.storage.before_storing, one.storage.after_storing):
        step(str(log))
        step("elsewhere.txt")
    assert not [n for n in one.storage.objects.stamps() if "log" in n or "elsewhere" in n]


def test_a_folder_is_its_files_and_not_its_neighbours():
    stamps = {"c/a": "1", "c/b": "2", "c.x": "3", "c0": "4", f"c{SUFFIX}": "5", "c.stored-1": ""}
    listing = Listing(stamps)
    assert [name for name, _ in listing.within("c")] == ["c/a", "c/b"]
    assert listing.marks("c") == ["c.stored-1"]
    others = [{**stamps, "c0": "x"}, {**stamps, "c/b": "x"}, {**stamps, "c/d": "6"}]
    same = [Listing(other).mark("c") == listing.mark("c") for other in others]
    assert same == [True, False, False]


def test_states_of_finished_trainings_are_forgotten(one: Node):
    state = one.bucket / "state/iid/seed0"
    for name in ("training-1/state.pt", "training-1/finished", "training-2/state.pt"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).touch()
    one.storage.forget_finished(str(one.file), "training")
    assert [path.name for path in state.rglob("*") if path.is_file()] == ["state.pt"]
    assert (state / "training-2/state.pt").exists()


def test_other_providers_are_refused_by_name():
    settings = SimpleNamespace(default_storage_provider=None)
    assert storage_of(SimpleNamespace(storage_settings=settings), "results") is None
    settings.default_storage_provider = "gcs"
    with pytest.raises(UserError, match=r"--default-storage-provider gcs: .* `fs` or `s3`"):
        storage_of(SimpleNamespace(storage_settings=settings), "results")
