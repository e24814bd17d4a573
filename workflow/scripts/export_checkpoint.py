"""Take the backbone out of a training checkpoint: encoder.safetensors with torchvision's names.

example:
  export_checkpoint.py --spec '{"epoch": 100}' --checkpoints results/runs/iid/seed0/checkpoints \\
      --output encoder.safetensors
"""

import argparse
import json
from pathlib import Path

from ssl_collapse.models.checkpoint_file import checkpoint_after
from ssl_collapse.provenance.job import run
from ssl_collapse.training.export import export_encoder


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help='JSON: {"epoch": e}')
    p.add_argument("--checkpoints", type=Path, required=True, help="the run's checkpoint folder")
    p.add_argument("--output", type=Path, required=True, help="encoder.safetensors to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Export the encoder of one epoch."""
    epoch = json.loads(args.spec)["epoch"]
    export_encoder(checkpoint_after(args.checkpoints, epoch), args.output, epoch)


if __name__ == "__main__":
    run(parser(), main)
