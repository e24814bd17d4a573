"""The folders of unfinished trainings, beside each other."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ssl_collapse.runtime.saved_state import SavedState


def test_seeds_that_begin_and_end_beside_each_other_leave_nothing(tmp_path: Path):
    def begins_and_ends(seed: int) -> None:
        for _ in range(300):
            state = SavedState(tmp_path / f"state/iid/seed{seed}/training-1")
            with state.locked():
                state.file.write_text("weights")
            state.remove()

    with ThreadPoolExecutor() as pool:
        list(pool.map(begins_and_ends, range(4)))
    assert list((tmp_path / "state").iterdir()) == []


def test_what_lies_beside_a_state_stays(tmp_path: Path):
    training, probe = (
        SavedState(tmp_path / f"state/iid/seed0/{name}-1") for name in ("training", "probe")
    )
    with training.locked(), probe.locked():
        training.remove()
    assert probe.checkpoints.is_dir()


def test_who_waits_for_one_that_ends_goes_on(tmp_path: Path):
    first, second = (SavedState(tmp_path / "state/iid/seed0/training-1") for _ in range(2))
    with ThreadPoolExecutor() as pool:
        with first.locked():
            waits = pool.submit(lambda: second.locked().__enter__())
            time.sleep(0.3)
            first.remove()  # as a job does whose results count, its lock still held
        waits.result(timeout=5)
    assert second.checkpoints.is_dir()
