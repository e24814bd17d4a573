"""Five images of a user's, and the results of the miniature workflow."""

from pathlib import Path

import pytest
from inventories import IMAGES, describe, save_image
from stub_workflow import StubWorkflow

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


@pytest.fixture
def done(tmp_path: Path) -> StubWorkflow:
    """Every result made, and kept in `store`."""
    workflow = StubWorkflow(tmp_path / "here", store=tmp_path / "store")
    assert len(workflow.run()) == 8 and workflow.taken == []
    return workflow
