"""Where images come from, and how they are packed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ssl_collapse.config.types import Positive, StrictModel

Folder = Annotated[str, Field(min_length=1)]


class TexturesSource(StrictModel):
    """Ten classes of procedural textures, generated from a seed (no download)."""

    kind: Literal["textures"]
    train_images: Annotated[int, Field(ge=10)]  # at least one per class
    val_images: Positive
    image_size: Annotated[int, Field(ge=8)] = 32
    seed: Annotated[int, Field(ge=0)] = 0


class ImageFolderSource(StrictModel):
    """The user's class folders: in `train` and `val`, or in one `root` that is split."""

    kind: Literal["imagefolder"]
    train: Folder | None = None
    val: Folder | None = None
    root: Folder | None = None
    val_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    split_seed: Annotated[int, Field(ge=0)] = 0
    on_bad_image: Literal["fail", "skip"] = "fail"

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
        return self

    def recipe(self) -> dict[str, object]:
        """What decides the images, without where they lie: a moved folder is the same dataset."""
        if self.root is None:
            return {"kind": self.kind, "on_bad_image": self.on_bad_image}
        return self.model_dump(exclude={"train", "val", "root"})


Source = Annotated[TexturesSource | ImageFolderSource, Field(discriminator="kind")]


class PackSpec(StrictModel):
    """How images are stored: decoded with this shorter side, or (null) as the original files."""

    shorter_side: Annotated[int, Field(ge=8)] | None


class OrderingSpec(StrictModel):
    """A seeded permutation of the training indices, or the user's own, known by its digest."""

    seed: Annotated[int, Field(ge=0)] | None = None
    user: str | None = None
