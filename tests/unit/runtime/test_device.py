"""A job's device, and the GPUs that it holds."""

import pytest
import torch

from ssl_collapse.runtime import device
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.errors import UserError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many GPUs were claimed, on a machine where CUDA sees one."""
    counts: list[int] = []
    monkeypatch.setattr(device, "claim_gpus", lambda count: counts.append(count) or count)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    return counts


@pytest.mark.parametrize(
    ("name", "kind", "held"), [("cpu", "cpu", []), ("cuda", "cuda", [1]), ("auto", "cuda", [1])]
)
def test_a_job_on_a_gpu_holds_it(name: str, kind: str, held: list[int], asked: list[int]):
    assert choose_device(name).type == kind
    assert asked == held


def test_the_ranks_of_one_training_share_what_its_first_process_holds(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device("cuda") == torch.device("cuda:1")
    assert asked == []


def test_fewer_gpus_than_asked_for_are_an_error(asked: list[int]):
    with pytest.raises(UserError, match="holds 2 GPUs but CUDA sees 1"):
        choose_device("cuda", gpus=2)


def test_without_a_gpu_auto_means_the_cpu(asked: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "claim_gpus", lambda count: 0)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(UserError, match="no GPU is visible"):
        choose_device("cuda")


def test_a_gpu_that_was_given_and_does_not_work_is_an_error(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("auto", "cuda"):  # days on the CPU are not what was meant
        with pytest.raises(UserError, match="holds 1 GPUs but CUDA sees 0"):
            choose_device(name)
