"""The state of an unfinished training: locked, damaged, lost in part, published whole."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from trainings import checkpoints, trainer

from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.checkpoint_file import DIVERGED
from ssl_collapse.runtime import saved_state as state
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.saved_state import SavedState
from ssl_collapse.training.loop import Trainer


def test_a_second_trainer_of_the_same_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(state, "PATIENCE", 0.1)
    first, second = (SavedState(tmp_path / "run").locked() for _ in range(2))
    with first, pytest.raises(UserError, match="another process is training"):
        second.__enter__()


def test_a_longer_training_is_another_recipe_and_says_so(
    images: PackedImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "run/probe-one").mkdir(parents=True)  # which is no other training
    (tmp_path / "run/probe-one/state.pt").touch()
    shorter = trainer(images, tmp_path / "run/training-three", epochs=3)
    shorter.resume()
    assert not caplog.records
    shorter.run()  # its state was not removed yet
    longer = trainer(images, tmp_path / "run/training-four", epochs=4)
    longer.resume()
    assert longer.progress.epoch == 0
    message = "run/training-three holds an unfinished training by another recipe, other code"
    assert message in caplog.text


def lose(file: Path) -> None:
    file.unlink()


def damage(file: Path) -> None:
    file.write_bytes(b"\0" + file.read_bytes()[1:])


@pytest.mark.parametrize(
    ("how", "epoch", "source"),
    [(lose, 0, "nothing"), (damage, 1, "epoch 0"), (lose, 2, "epoch 1"), (damage, 3, "epoch 2")],
)
def test_a_lost_checkpoint_of_an_unfinished_training_is_made_again(
    images: PackedImages,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    how: Callable[[Path], None],
    epoch: int,
    source: str,
):
    first = trainer(images, tmp_path / "cut")
    whole = first.run()  # to the end, but not published yet
    written = checkpoints(tmp_path / "cut")
    how(tmp_path / f"cut/checkpoints/epoch000{epoch}.pt")
    second = trainer(images, tmp_path / "cut")
    second.resume()
    said = f"epoch000{epoch}.pt is missing or damaged: training goes on from {source}"
    assert said in caplog.text
    assert second.progress.epoch == max(0, epoch - 1)
    assert second.run() == whole
    assert [row["epoch"] for row in second.progress.speed] == [1, 2, 3]
    assert checkpoints(tmp_path / "cut") == written
    second.saver.state.publish(tmp_path / "published")
    assert {p.name: p.read_bytes() for p in (tmp_path / "published").iterdir()} == written


def test_a_state_with_one_other_bit_is_refused(images: PackedImages, tmp_path: Path):
    cut = trainer(images, tmp_path / "cut")
    cut.run()
    content = bytearray(cut.saver.state.file.read_bytes())
    weights = next(p for p in cut.model.parameters() if p.ndim == 2)
    content[content.index(weights.detach().numpy().tobytes())] ^= 1  # torch.load takes it as it is
    cut.saver.state.file.write_bytes(content)
    with pytest.raises(UserError, match=r"state\.pt: damaged since it was saved; .* delete"):
        trainer(images, tmp_path / "cut").resume()


def test_a_hybrid_whose_first_checkpoint_is_lost_goes_back_to_its_start(
    images: PackedImages, tmp_path: Path
):
    trainer(images, tmp_path / "whole").run()

    def hybrid() -> Trainer:
        started = trainer(images, tmp_path / "hybrid", start_epoch=1)
        started.start_from(tmp_path / "whole/checkpoints/epoch0001.pt")
        started.resume()
        return started

    rows = hybrid().run()
    written = checkpoints(tmp_path / "hybrid")
    lose(tmp_path / "hybrid/checkpoints/epoch0002.pt")
    assert hybrid().run() == rows
    assert checkpoints(tmp_path / "hybrid") == written


@pytest.mark.parametrize("how", [lose, damage])
def test_a_folder_without_one_of_its_checkpoints_is_not_published(
    images: PackedImages, tmp_path: Path, how: Callable[[Path], None]
):
    trained = trainer(images, tmp_path)
    trained.run()
    how(tmp_path / "checkpoints/epoch0002.pt")
    with pytest.raises(UserError, match=r"epoch0002\.pt: missing or damaged.*start again"):
        trained.saver.state.publish(tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_what_the_run_did_not_write_is_not_published(images: PackedImages, tmp_path: Path):
    # the failing state of an earlier attempt, which on a GPU need not fail again
    trained = trainer(images, tmp_path)
    (tmp_path / "checkpoints" / DIVERGED).touch()
    trained.run()
    trained.saver.state.publish(tmp_path / "published")
    assert not (tmp_path / "published" / DIVERGED).exists()


def test_the_lock_of_a_dead_process_does_not_block(tmp_path: Path):
    child = os.fork()
    if child == 0:
        SavedState(tmp_path / "run").locked().__enter__()
        os._exit(9)  # dies without releasing
    os.waitpid(child, 0)
    with SavedState(tmp_path / "run").locked():
        pass
