"""`audit.py`, from a checkpoint in torchvision's layout and some textures to a page."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from commands import WORKFLOW, call
from PIL import Image

from ssl_collapse.config.dataset import TexturesSource
from ssl_collapse.evaluation.measures.registry import MEASURES
from ssl_collapse.figures.audit import PUBLISHED, measure_rows
from ssl_collapse.images.textures import write_textures
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity

SCRIPT = WORKFLOW / "scripts/audit.py"
State = dict[str, torch.Tensor]


audit = partial(call, "audit", "--device", "cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("textures") / "images"
    source = {"kind": "textures", "train_images": 60, "val_images": 10, "image_size": 32}
    write_textures(folder, TexturesSource(**source))
    return folder / "train"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-18 with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoder") / "encoder.pth"
    torch.save(torchvision.models.resnet18().state_dict(), path)
    return path


def nothing(state: State) -> None:
    pass


def rank_one(state: State) -> None:
    """The last convolution says one thing in every channel, and drowns all else."""
    state["layer4.1.conv2.weight"][:] = state["layer4.1.conv2.weight"][:1].clone()
    state["layer4.1.bn2.weight"][:] = 1e4 * (0.5 + torch.rand(512))


def dead(state: State) -> None:
    """The last stage passes nothing on."""
    for name in ("layer4.0.bn2", "layer4.0.downsample.1", "layer4.1.bn2"):
        state[f"{name}.weight"].zero_()


@pytest.mark.parametrize(
    ("change", "verdict", "why"),
    [
        (nothing, "not collapsed", "of the same network with random weights"),
        (rank_one, "collapsed", "Its effective rank is 1.0"),
        (dead, "collapsed", "All representations are equal: total collapse."),
    ],
)
def test_from_a_checkpoint_to_a_page(
    tmp_path: Path, images: Path, encoder: Path, change: Callable[[State], None], verdict: str,
    why: str,
):  # fmt: skip
    state = torch.load(encoder, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "encoder.pth")
    audit(tmp_path / "encoder.pth", images, "--out", tmp_path / "out", "--resize", 32, "--crop", 32)
    content = json.loads((tmp_path / "out/audit.json").read_text())
    page = (tmp_path / "out/audit.html").read_text()
    assert content["verdict"] == verdict and why in content["why"]
    checkpoint = content["checkpoint"]
    assert checkpoint["recognised"].startswith("torchvision file, flat, ResNet-18, 120 of")
    assert checkpoint["assumed"] == []
    assert (content["images"]["used"], content["images"]["classes"]) == (60, 10)
    assert verdict.capitalize() in page and "The rule." in page and "Dashed" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # offline
    if change is not dead:
        assert content["encoder"]["measures"]["dim"] == 512
        shown = [m for m in MEASURES if content["encoder"]["measures"][m.name] is not None]
        assert len(shown) > 8 and all(quantity(m.name).name in page for m in shown)
        assert "fewer images than dimensions" in page and "k-NN by folder names, k = 1" in page
    assert all(f"{auc:.3f}" in page for auc, _ in PUBLISHED.values())
    if change is rank_one:  # 60 rows: their first direction has it all
        assert content["encoder"]["directions"] == {"90%": 1, "99%": 1}
        assert content["untrained"]["directions"]["99%"] > 20
        assert str(tmp_path) not in json.dumps(content) + page


def test_published_curves_and_equal_bytes(tmp_path: Path, images: Path, encoder: Path):
    for share in PUBLISHED:
        name = f"resnet18_{share}percent_train_reprs_e0_svd.pt"
        torch.save({"stds": torch.linspace(1, 1e-3, 512)}, tmp_path / name)
    pages = []
    for name in ("one", "two"):
        audit(encoder, images, "--out", tmp_path / name, "--published", tmp_path,
              "--images-at-most", 30, "--crop", 32, "--threads", len(pages) + 1)  # fmt: skip
        pages.append((tmp_path / name / "audit.html").read_bytes())
    assert pages[0] == pages[1] and b"--published FOLDER" not in pages[0]


def diverged(folder: Path, images: Path) -> list[Any]:
    state = torch.load(folder / "encoder.pth", weights_only=True)
    state["layer4.1.bn2.running_var"][0] = torch.nan
    torch.save(state, folder / "nan.pth")
    return [folder / "nan.pth", images, "--resize", 32, "--crop", 32]


def broken_image(folder: Path, images: Path) -> list[Any]:
    for number in range(3):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / f"{number}.png")
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(b"broken")
    return [folder / "encoder.pth", folder]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda folder, images: [folder / "none.pth", images], r"none\.pth: cannot be read"),
        (lambda folder, images: [SCRIPT, images], r"audit\.py: not a readable checkpoint"),
        (lambda folder, images: [folder / "encoder.pth", folder / "none"], "none: is no folder"),
        (broken_image, r"(?s)1\.png: not an image.*\n  .*2\.png: not"),
        (diverged, r"nan\.pth: its representations hold NaN .* diverged"),
        (lambda folder, images: [folder / "encoder.pth", images, "--std", 0, 0, 0], "--std"),
        (lambda folder, images: [folder / "encoder.pth", images, "--mean", 124, 116, 104],
         "--mean .* not of 255"),
        (lambda folder, images: [folder / "encoder.pth", images, "--images-at-most", 1], "two"),
        (lambda folder, images: [folder / "encoder.pth", images, "--backbone", "a"], "--backbone"),
        (lambda folder, images: [folder / "encoder.pth", images, "--backbone", "{arch: timm:no}"],
         r"^--backbone {arch: timm:no}: Value error, timm has no model 'no'[^\n]*$"),
        (lambda folder, images: [folder / "encoder.pth", images, "--published", folder], "svd.pt"),
        (lambda folder, images: [folder / "encoder.pth", images, "--crop", 300, "--resize", 9],
         "--crop 300 is larger than --resize 9"),
        (lambda folder, images: [folder / "encoder.pth", images, "--out", SCRIPT], "is no folder"),
    ],
)  # fmt: skip
def test_bad_input_is_one_message_and_writes_nothing(
    tmp_path: Path, images: Path, encoder: Path, arguments: Callable[[Path, Path], list[Any]],
    message: str,
):  # fmt: skip
    (tmp_path / "encoder.pth").symlink_to(encoder)
    given = arguments(tmp_path, images)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message):
        audit(*given, *([] if "--out" in given else ["--out", tmp_path / "out"]))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "mine", "interval", "random", "flat", "says"),
    [
        ("auc", 0.85, (0.8, 0.9), 0.88, 0.6, "about as with random weights"),  # within
        ("auc", 0.85, None, 0.87, 0.6, "about as with random weights"),  # 0.02 of 0.27
        ("auc", 0.85, (0.84, 0.86), 0.9, 0.6, "less collapsed than with random weights"),
        ("auc", 0.85, (0.84, 0.86), 0.8, 0.6, "more collapsed than with random weights"),
        ("effective_rank", 10, None, 20, 90, "more collapsed than with random weights"),
        ("effective_rank", 19, None, 20, 90, "about as with random weights"),  # 1 of 20
        ("mean_cosine", 0.1, None, 0.9, 0.0,
         "less collapsed than with random weights, but the mean is in it"),
    ],
)  # fmt: skip
def test_what_a_measure_says(name, mine, interval, random, flat, says):
    conventions = {"mean_cosine": "cosine of pairs; not centred"}
    content = {
        "encoder": {
            "measures": {**dict.fromkeys(m.name for m in MEASURES), name: mine,
                         "conventions": conventions},
            "intervals": {name: interval} if interval else {},
        },
        "untrained": {"measures": {name: random}},
        "gaussian": {"measures": {name: flat}},
    }  # fmt: skip
    (row,) = measure_rows(content)
    assert row["says"] == says
