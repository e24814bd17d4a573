"""Measure representations of several augmented views per image: LiDAR and alignment.

example:
  view_measures.py --spec '{"images": 1000, "views": 10}' --images train.h5 \\
      --encoder encoder.safetensors --json view-measures.json
"""

import os

# One thread inside the linear algebra library: its number changes bits of the result.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
from pathlib import Path

from ssl_collapse.config.evaluation import ViewMeasuresSpec
from ssl_collapse.evaluation.view_measures import measure_views
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.models.encoder_file import prepared
from ssl_collapse.models.projector_file import read_network
from ssl_collapse.provenance.job import run
from ssl_collapse.representations.views import represent_views
from ssl_collapse.runtime.device import choose_device
from ssl_collapse.runtime.files import write_json
from ssl_collapse.runtime.scratch import on_scratch


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON of a ViewMeasuresSpec")
    p.add_argument("--images", type=Path, required=True, help="packed images (HDF5)")
    p.add_argument("--encoder", type=Path, required=True, help="encoder.safetensors")
    p.add_argument(
        "--projector", type=Path, nargs="?", help="projector.safetensors to go on through"
    )
    p.add_argument("--json", type=Path, required=True, help="where the measures go")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--workers", type=int, default=0, help="processes that load images")
    p.add_argument("--scratch", help="folder for copies of the images, for example $TMPDIR")
    return p


def main(args: argparse.Namespace) -> None:
    """Measure one encoder, or say why it cannot be."""
    network, metadata, _ = read_network(args.encoder, args.projector)
    spec = prepared(ViewMeasuresSpec.from_spec(args.spec), metadata)
    failure, views = metadata.get("failure"), None
    if failure is None:
        images = PackedImages(on_scratch(args.images, args.scratch))
        views = represent_views(network, images, spec, choose_device(args.device), args.workers)
    write_json(args.json, measure_views(views, spec, failure))


if __name__ == "__main__":
    run(parser(), main)
