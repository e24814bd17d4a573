"""Images of a user's, described as the dataset stage does, and looked at again."""

import json
import sys
from pathlib import Path

from PIL import Image

from ssl_collapse.images.imagefolder import EXTENSIONS, JUNK
from ssl_collapse.provenance.inventory import INVENTORY, Comparison, Naming, compare
from ssl_collapse.runtime.command_line import logger

sys.path.append(str(Path(__file__).parents[2] / "workflow/scripts"))
import dataset as dataset_script

NAMING = Naming(tuple(JUNK), tuple(EXTENSIONS))
IMAGES = ("cat/0.png", "cat/1.png", "cat/more/2.png", "dog/0.png", "dog/1.png")


def describe(place: Path) -> None:
    """Run the dataset stage on `images`, as the workflow does."""
    (place / "results").mkdir(exist_ok=True)
    arguments = [
        *("--name", "mine", "--output", str(place / "results/dataset.json")),
        *("--folders", json.dumps({"mine": folders(place)})),
        *("--spec", '{"kind": "imagefolder", "val_fraction": 0.5, "on_bad_image": "skip"}'),
    ]
    logger.disabled = True
    try:
        dataset_script.main(dataset_script.parser().parse_args(arguments))
    finally:
        logger.disabled = False


def folders(place: Path, name: str = "images") -> dict[str, str]:
    return {"root": str(place / name)}


def look(place: Path, name: str = "images", everything: bool = False) -> Comparison:
    """Compare; nothing below `place` may have been written."""
    before = snapshot(place)
    found = compare(folders(place, name), place / "results" / INVENTORY, everything)
    assert snapshot(place) == before
    return found


def snapshot(place: Path) -> dict[str, object]:
    """Content and dates of every file and folder but images, which reading gives other atimes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [place / "results", *(place / "results").rglob("*")]
    }


def save_image(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (1, 1), grey).save(path)
