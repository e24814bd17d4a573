"""Take the encoder out of a checkpoint file of another project: encoder.safetensors.

example:
  import_encoder.py --spec @spec.json --file moco.pth.tar --output encoder.safetensors
"""

import argparse
from pathlib import Path

from ssl_collapse.config.checkpoints import ImportEncoderSpec
from ssl_collapse.models.foreign.importing import import_encoder
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.digests import require_planned


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON of an ImportEncoderSpec")
    p.add_argument("--file", required=True, type=Path, help="checkpoint file of any source")
    p.add_argument("--output", required=True, type=Path, help="encoder.safetensors to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Recognise the file and write its encoder."""
    spec = ImportEncoderSpec.from_spec(args.spec)
    import_encoder(args.file, spec, args.output)
    require_planned(args.file, spec.checkpoint)


if __name__ == "__main__":
    run(parser(), main)
