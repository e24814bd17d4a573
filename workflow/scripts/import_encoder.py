"""Take the encoder out of a checkpoint file of another project: encoder.safetensors.

example:
  import_encoder.py --spec @spec.json --file moco.pth.tar --output encoder.safetensors
"""

import argparse
from pathlib import Path

from ssl_collapse.config.checkpoints import ImportEncoderSpec
from ssl_collapse.models.foreign.importing import import_encoder
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256


def main(args: argparse.Namespace) -> None:
    """Recognise the file and write its encoder."""
    spec = ImportEncoderSpec.from_spec(args.spec)
    if file_sha256(args.file) != spec.checkpoint:
        raise UserError(f"{args.file} has changed since this job was planned; start again")
    import_encoder(args.file, spec, args.output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of an ImportEncoderSpec")
    parser.add_argument("--file", required=True, type=Path, help="checkpoint file of any source")
    parser.add_argument("--output", required=True, type=Path, help="encoder.safetensors to write")
    run(parser, main)
