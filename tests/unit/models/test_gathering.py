"""Losses over the whole batch: two gloo ranks against one process."""

import subprocess
import sys
from pathlib import Path

import torch
from gathering_script import computed

SCRIPT = Path(__file__).with_name("gathering_script.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def test_two_ranks_have_the_rows_and_the_gradients_of_one_process(tmp_path: Path):
    subprocess.run([sys.executable, *TORCHRUN, SCRIPT, tmp_path], check=True, capture_output=True)
    alone = computed()
    assert all(tensor.abs().sum() > 0 for tensor in alone.values())
    for rank in (0, 1):
        found = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert found.keys() == alone.keys()
        for name, tensor in alone.items():
            torch.testing.assert_close(found[name], tensor, msg=f"{name}, rank {rank}")
