"""How far a training is, for those who watch: a file beside its state, and trackers."""

import json
import logging
import os
import struct
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from ssl_collapse.runtime import following as module
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.following import Following, read_progress
from ssl_collapse.runtime.trackers import add_options, open_trackers, require_packages


def followed(folder: Path, seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> Following:
    """A job of 10 epochs of 100 steps of 64 images, whose clock reads these seconds."""
    folder.mkdir(parents=True)
    clock = iter(seconds)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    following = Following(folder)
    following.begin(10, 100, 64)
    return following


def test_speed_and_time_left_are_those_of_the_last_half_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    following = followed(tmp_path / "training-0", [0, 4, 4.5], monkeypatch)
    following.step(3, 10)
    assert "seconds_left" not in read_progress(tmp_path, "training"), "one look has no speed"
    following.step(3, 50, loss=0.25)
    following.step(3, 99)  # too early to write again
    # 40 steps in 4 s are 640 images/s; 1000 - 350 steps are left, at 10 per second
    expected = {"epochs": 10, "steps": 100, "loss": 0.25, "epoch": 3, "step": 50}
    speed = {"images_per_second": 640, "seconds_left": 65}
    assert read_progress(tmp_path, "training") == expected | speed
    assert [path.name for path in tmp_path.iterdir()] == ["training-0"]


def test_of_an_epoch_its_numbers_are_told_with_the_steps_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    following = followed(tmp_path / "training-0", [0], monkeypatch)
    following.epoch({"epoch": 4, "effective_rank": 7.5})
    following.step(4, 1)
    assert read_progress(tmp_path, "training")["effective_rank"] == 7.5


def test_the_newest_of_its_kind_is_read_and_none_of_before(tmp_path: Path):
    for i, name in enumerate(("training-a", "training-b", "probe-c")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "progress.json").write_text(json.dumps({"epoch": i}))
        os.utime(folder / "progress.json", (1000 + i, 1000 + i))
    assert read_progress(tmp_path, "training") == {"epoch": 1}
    assert read_progress(tmp_path, "training", since=1001.5) is None
    (tmp_path / "training-b/progress.json").write_text("{")
    assert read_progress(tmp_path, "training", since=1001.5) is None, "being replaced"


def test_a_folder_that_is_gone_ends_no_training(tmp_path: Path):
    following = Following(tmp_path / "gone")
    following.step(0, 1)
    assert not list(tmp_path.iterdir())


class Broken:
    def note(self, step: int, values: dict[str, float]) -> None:
        raise ConnectionError("no route")

    def close(self) -> None:
        raise ConnectionError("still none")


def test_a_tracker_that_fails_is_left_out_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    following = Following(tmp_path)
    with caplog.at_level(logging.WARNING), following.told_to({"mlflow": Broken()}):
        for epoch in (1, 2):
            following.epoch({"epoch": epoch, "loss": 0.5})
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        "mlflow fails and is left out from here on: no route",
        "mlflow: still none",
    ]


def arguments(*words: str) -> Namespace:
    parser = ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def events(file: Path) -> list[tuple[int, str, float]]:
    """Step, name and value of every scalar in an event file, a TFRecord of protobuf messages."""
    from tensorboardX.proto.event_pb2 import Event

    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack_from("<Q", data)  # then a checksum, the message, a checksum
        event = Event.FromString(data[12 : 12 + length])
        found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
        data = data[16 + length :]
    return found


def test_epochs_go_to_event_files_of_tensorboard(tmp_path: Path):
    trackers = open_trackers(arguments("--tensorboard", str(tmp_path / "tb")), "iid/seed0", "a1")
    following = Following(tmp_path)
    following.begin(10, 100, 64)
    with following.told_to(trackers):
        following.epoch({"epoch": 1, "loss": 0.5, "effective_rank": 8.0})
        following.epoch({"epoch": 2, "loss": 0.25, "effective_rank": 4.0})
    (file,) = (tmp_path / "tb/iid/seed0").iterdir()
    assert events(file) == [
        (100, "loss", 0.5),
        (100, "effective_rank", 8.0),
        (200, "loss", 0.25),
        (200, "effective_rank", 4.0),
    ]


def test_nothing_is_opened_unless_it_is_set():
    assert open_trackers(arguments(), "iid/seed0", "a1") == {}


@pytest.mark.parametrize("name", ["mlflow", "wandb", "tensorboard"])
def test_a_missing_package_is_named_before_anything_starts(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(UserError, match=f"runtime.{name}: the package .* `pip install .*`"):
        require_packages(arguments(f"--{name}", "somewhere"))
    require_packages(arguments())


def test_what_cannot_be_opened_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"runtime\.tensorboard: .*/file: cannot be opened"):
        open_trackers(arguments("--tensorboard", str(tmp_path / "file")), "iid/seed0", "a1")


def test_a_step_costs_microseconds(tmp_path: Path):
    following = Following(tmp_path)
    following.begin(10, 100_000, 64)
    begin = time.process_time()
    for step in range(10_000):
        following.step(0, step, 0.5)
    assert time.process_time() - begin < 0.5  # 50 microseconds each; measured: about 1
