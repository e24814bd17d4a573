"""Write the procedural textures as an ImageFolder: FOLDER/{train,val}/{class}/{number}.png.

example:
  textures.py --spec '{"kind": "textures", "train_images": 100, "val_images": 20}' --output images
"""

import argparse
from pathlib import Path

from ssl_collapse.config.dataset import TexturesSource
from ssl_collapse.images.textures import write_textures
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.command_line import parsed


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="the textures source of the config, as JSON")
    p.add_argument("--output", required=True, type=Path, help="the folder to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Draw all images."""
    source = parsed(TexturesSource.from_spec, args.spec)
    write_textures(args.output, source)


if __name__ == "__main__":
    run(parser(), main)
