"""The smallest complete experiment, its recipe, and packed images to train it on."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image
from torch import nn

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.description import DatasetDescription, describe_dataset
from ssl_collapse.images.imagefolder import Listing, list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.images.packing import pack_split
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.encoder_file import save_encoder
from ssl_collapse.runtime.files import write_json

# One stage of one block of width 4; images of 12 x 12 are packed, crops of 8 x 8 are trained on.
MODEL: dict[str, Any] = {
    "backbone": {"arch": "small_resnet", "width": 4, "blocks": [1]},
    "method": {"name": "simsiam", "projection_dim": 8, "predictor_hidden_dim": 4},
}
RECIPE: dict[str, Any] = {
    **MODEL,
    "epochs": 3,
    "batch_size": 4,
    "seed": 0,
    "crop": 8,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
EXPERIMENT: dict[str, Any] = {
    "datasets": {
        "textures": {
            "source": {"kind": "textures", "train_images": 40, "val_images": 20, "image_size": 16}
        }
    },
    "defaults": {"dataset": "textures", **MODEL, "batch_size": 16, "epochs": 1},
    "runs": {"iid": {}},
    "evaluation": {"knn": {"k_max": 20}},
    "figures": {"spectra": {"kind": "spectra", "runs": ["iid"]}},
}


def experiment(**sections: Any) -> dict[str, Any]:
    """The config, with sections replaced; keys of `defaults` are laid over those of the toy."""
    config = {**deepcopy(EXPERIMENT), **sections}
    config["defaults"] = {**deepcopy(EXPERIMENT["defaults"]), **sections.get("defaults", {})}
    return config


def pretrain_spec(**keys: Any) -> PretrainSpec:
    """The recipe with keys replaced."""
    return PretrainSpec.model_validate({**RECIPE, **keys})


def save_teacher(
    path: Path, width: int = 4, network: nn.Module | None = None, **metadata: str
) -> Path:
    """The random network of the recipe, or a wider or given one, as an encoder file."""
    backbone = pretrain_spec(backbone={**MODEL["backbone"], "width": width}).backbone
    told = {"arch": backbone.arch, "backbone": backbone.to_spec_json(), "epoch": "1"}
    weights = (network or build_backbone(backbone)[0]).state_dict()
    save_encoder(path, weights, {**told, "feature_dim": str(width), **metadata})
    return path


def look(
    folder: Path, on_bad_image: str = "fail", workers: int = 1
) -> tuple[Listing, DatasetDescription]:
    """The listing and the description of a folder with `train` and `val`."""
    listing = list_dataset({split: folder / split for split in ("train", "val")})
    source = {"kind": "imagefolder", "on_bad_image": on_bad_image}
    return listing, describe_dataset("mine", source, listing, inspect_images(listing, workers))


def pack(folder: Path, side: int | None = 12, split: str = "train") -> PackedImages:
    """One split of such a folder, packed beside it."""
    (listing, description), path = look(folder), folder / f"{split}.h5"
    pack_split(split, listing.splits[split], description, PackSpec(shorter_side=side), path)
    return PackedImages(path)


def pack_noise(folder: Path) -> PackedImages:
    """Twelve images of noise in two classes, packed; dataset.json lies beside them."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for i in range(12):
            file = folder / split / "ab"[i % 2] / f"{i:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(file)
    write_json(folder / "dataset.json", look(folder)[1].model_dump())
    return pack(folder)


def stored_paths(packed: PackedImages) -> list[str]:
    """Path of every packed image, relative to its split's folder."""
    with h5py.File(packed.path) as file:
        return file["path"].asstr()[:].tolist()
