"""Where images come from, and how they are packed."""

from os.path import normpath
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import Folder, Neutral, Pixels, Seed, StrictModel

Images = Annotated[int, Field(ge=1, le=10_000_000)]


class TexturesSource(StrictModel):
    """Ten classes of procedural textures, generated from a seed (no download)."""

    kind: Literal["textures"]
    """`textures`: images that the workflow generates."""
    train_images: Annotated[int, Field(ge=10, le=10_000_000)]
    """Training images; at least one for each of the ten classes."""
    val_images: Images
    """Validation images."""
    image_size: Annotated[int, Field(ge=8, le=4096)] = 32
    """Width and height in px."""
    seed: Seed = 0
    """Which images are generated."""


class ImageFolderSource(StrictModel):
    """The user's class folders: in `train` and `val`, or in one `root` that is split."""

    kind: Literal["imagefolder"]
    """`imagefolder`: images in a folder for each class."""
    train: Folder | None = None
    """Folder of the training images' class folders; goes with `val`."""
    val: Folder | None = None
    """Folder of the validation images' class folders; goes with `train`."""
    root: Folder | None = None
    """One folder of class folders, which is split; goes with `val_fraction`."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The part of each class under `root` that becomes validation images."""
    split_seed: Seed = 0
    """Which images under `root` become validation images."""
    on_bad_image: Literal["fail", "skip"] = "fail"
    """Files that are no usable images: `fail` lists them and stops, `skip` leaves them out."""

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        two_folders = self.train is not None and self.val is not None
        one_tree = self.root is not None and self.val_fraction is not None
        given = [
            k for k in ("train", "val", "root", "val_fraction") if getattr(self, k) is not None
        ]
        if not (two_folders or one_tree) or len(given) != 2:
            raise ValueError(
                "give either `train` and `val`, or `root` and `val_fraction`; "
                f"given: {', '.join(given) or 'none of them'}"
            )
        if (
            self.train is not None
            and self.val is not None
            and normpath(self.train) == normpath(self.val)
        ):
            raise ValueError(
                f"`train` and `val` are the same folder {self.train!r}; give two, or `root` and "
                "`val_fraction`"
            )
        return self

    def recipe(self) -> dict[str, Any]:
        """What decides the images, without where they lie: a moved folder is the same dataset."""
        left_out = {"train", "val", "root"}
        if self.root is None:
            left_out |= {"val_fraction", "split_seed"}
        return {key: value for key, value in self.to_spec().items() if key not in left_out}


Source = Annotated[TexturesSource | ImageFolderSource, Field(discriminator="kind")]


class PackSpec(StrictModel):
    """How images are stored."""

    shorter_side: Pixels | None
    """Shorter side in px that images are stored with; null: the original files."""


class OrderingSpec(StrictModel):
    """A permutation of the training indices: one of the two keys is given."""

    seed: Annotated[Seed | None, Neutral(None)] = None
    """Seed of a permutation that is drawn."""
    user: Annotated[str | None, Neutral(None)] = None
    """sha256 of the user's own."""
