"""Five images of a user's."""

from pathlib import Path

import pytest
from inventories import IMAGES, describe, save_image

from ssl_collapse.runtime import folders as dates


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """images/{cat,dog} with five images of 1 x 1 pixels, and what is of no interest; described."""
    monkeypatch.setattr(dates, "SETTLED", 0)  # the images are as if written long ago
    for grey, name in enumerate(IMAGES):
        save_image(tmp_path / "images" / name, grey)
    (tmp_path / "images/cat/notes.txt").write_text("a bad file, which is skipped")
    (tmp_path / "images/labels.csv").write_text("beside the class folders")
    describe(tmp_path)
    return tmp_path
