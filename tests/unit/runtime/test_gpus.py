"""No two jobs hold the same GPU: made-up devices, real locks, several processes at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ssl_collapse.runtime import gpus as devices
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.gpus import (
    claim_devices,
    claim_gpus,
    lock_folder,
    parse_listing,
    visible_gpus,
)

IDS = ["GPU-a", "GPU-b", "GPU-c"]


def test_each_claim_gets_the_first_devices_that_are_free(tmp_path: Path):
    first, second = (claim_devices(IDS, 1, tmp_path) for _ in range(2))
    assert (first.ids, second.ids) == (["GPU-a"], ["GPU-b"])
    first.release()
    assert claim_devices(IDS, 2, tmp_path).ids == ["GPU-a", "GPU-c"]


def test_all_devices_that_are_asked_for_or_none(tmp_path: Path):
    held = claim_devices(IDS, 2, tmp_path)
    with pytest.raises(UserError, match=r"asked for 2 of 3 GPUs \(GPU-a, GPU-b, GPU-c\)"):
        claim_devices(IDS, 2, tmp_path)
    assert claim_devices(IDS, 1, tmp_path).ids == ["GPU-c"]  # the attempt has kept none
    assert held.ids == ["GPU-a", "GPU-b"]


def test_more_devices_than_there_are_is_an_error_at_once(tmp_path: Path):
    with pytest.raises(UserError, match="4 GPUs asked for, but this job sees 3 GPUs"):
        claim_devices(IDS, 4, tmp_path, patience=60)


# Claims devices, and leaves a mark on each while it has it: a mark that is there already means
# that two processes have the same device.
HOLDER = """
import pathlib, sys, time
from ssl_collapse.runtime import gpus as devices
devices._POLL = 0.01
folder, count, seconds = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
claim = devices.claim_devices(["GPU-a", "GPU-b", "GPU-c"], count, folder / "locks", 60)
marks = [folder / name for name in claim.ids]
for mark in marks:
    mark.touch(exist_ok=False)
print(*claim.ids, flush=True)
time.sleep(seconds)
for mark in marks:
    mark.unlink()
"""


def hold(folder: Path, count: int, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLDER, str(folder), str(count), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_never_hold_the_same_device(tmp_path: Path):
    holders = [hold(tmp_path, count, 0.05) for count in (1, 2, 1, 3, 1, 2, 1, 2)]
    answers = [process.communicate(timeout=60)[0].split() for process in holders]
    assert [process.returncode for process in holders] == [0] * 8
    assert [len(set(ids)) for ids in answers] == [1, 2, 1, 3, 1, 2, 1, 2]


def test_a_killed_process_holds_nothing(tmp_path: Path):
    holder = hold(tmp_path, 3, 60)
    assert holder.stdout is not None
    assert holder.stdout.readline().split() == IDS
    with pytest.raises(UserError, match="other jobs on this machine hold too many"):
        claim_devices(IDS, 1, tmp_path / "locks")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert claim_devices(IDS, 3, tmp_path / "locks").ids == IDS


LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2)
  MIG 3g.20gb     Device  0: (UUID: MIG-cccc-3)
  MIG 3g.20gb     Device  1: (UUID: MIG-dddd-4)
"""


def test_the_parts_of_a_divided_gpu_are_devices_of_their_own():
    assert parse_listing(LISTING) == [["GPU-aaaa-1"], ["MIG-cccc-3", "MIG-dddd-4"]]
    assert parse_listing("NVIDIA-SMI has failed") == []
    everything = ["GPU-aaaa-1", "MIG-cccc-3", "MIG-dddd-4"]
    assert visible_gpus({}, parse_listing(LISTING)) == everything


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("1,0", ["GPU-b", "GPU-a"]),  # as SLURM writes it
        ("GPU-b", ["GPU-b"]),
        ("GPU", ["GPU-a"]),  # the beginning of a UUID
        ("0,-1,1", ["GPU-a"]),  # CUDA stops at the first that is invalid
        ("", []),
        ("7", ["7"]),  # not in the listing: kept as it is
    ],
)
def test_cuda_visible_devices_is_kept_to(given: str, names: list[str]):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": given}, [["GPU-a"], ["GPU-b"]]) == names


def test_bare_numbers_mean_different_devices_in_different_slurm_jobs():
    one, other = ({"SLURM_JOB_ID": job} for job in ("1", "2"))
    assert lock_folder(["0"], one) != lock_folder(["0"], other)
    assert lock_folder(["GPU-a"], one) == lock_folder(["GPU-a"], other) == lock_folder(["0"], {})


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs, and no claim of this process left over."""
    monkeypatch.setattr(devices, "_list_gpus", lambda: [["GPU-a"], ["GPU-b"]])
    monkeypatch.setattr(devices, "lock_folder", lambda ids, environment: tmp_path)
    monkeypatch.setattr(devices, "_claims", [])
    monkeypatch.setattr(devices, "PATIENCE", 0)
    monkeypatch.setenv(devices.VISIBLE, "")
    monkeypatch.delenv(devices.VISIBLE)


def test_a_job_sees_only_what_it_holds(two_gpus: None, tmp_path: Path):
    taken = claim_devices(["GPU-a"], 1, tmp_path)
    assert claim_gpus(1) == 1
    assert devices.os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    assert claim_gpus(1) == 1  # asked again: the same
    taken.release()


def test_a_machine_without_gpus_has_nothing_to_claim(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(devices, "_list_gpus", list)
    assert claim_gpus(1) == 0
    assert "CUDA_VISIBLE_DEVICES" not in devices.os.environ
