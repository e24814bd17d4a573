"""How a source prepares images for its encoder: resize, central crop, normalisation."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What is known of it; None where the file and its source do not say.

    Attributes:
        mean, std: of red, green and blue, of 1.
        resize: shorter side in px.
        crop: width and height in px that the network sees.
        interpolation: "bilinear" or "bicubic", with antialiasing.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: int | None = None
    crop: int | None = None
    interpolation: str | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """From plain values; other keys are passed over."""
        known = {field.name: values.get(field.name) for field in fields(cls)}
        known = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
        return cls(**known)

    def known(self) -> dict[str, Any]:
        """What is not None."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def under(self, over: "Preprocessing") -> "Preprocessing":
        """With what `over` says in place of what this says."""
        return replace(self, **over.known())

    def to_json(self) -> str:
        """As JSON, without what is not known."""
        return json.dumps(self.known(), sort_keys=True)


NORMALISED = Preprocessing(IMAGENET_MEAN, IMAGENET_STD)
BILINEAR = replace(NORMALISED, resize=256, crop=224, interpolation="bilinear")
BICUBIC = replace(BILINEAR, interpolation="bicubic")
SWAV = replace(BILINEAR, std=(0.228, 0.224, 0.225))
CLIP = Preprocessing(
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
    resize=224,
    crop=224,
    interpolation="bicubic",
)
UNKNOWN = Preprocessing()


def of_timm(config: Mapping[str, Any]) -> Preprocessing:
    """What a timm `pretrained_cfg` says: its crop is a part (`crop_pct`) of the resized side."""
    size, part = config.get("input_size"), config.get("crop_pct")
    part = part if isinstance(part, float | int) and part > 0 else None
    size = size if isinstance(size, list | tuple) and all(type(n) is int for n in size) else None
    return Preprocessing.from_values(
        {
            **config,
            "crop": size[-1] if size else None,
            "resize": int(size[-1] / part) if size and part else None,
        }
    )


def of_processor(config: Mapping[str, Any]) -> Preprocessing:
    """What a `preprocessor_config.json` of Hugging Face says."""
    size, crop = (
        found if isinstance(found := config.get(key), dict) else {} for key in ("size", "crop_size")
    )
    return Preprocessing.from_values(
        {
            "mean": config.get("image_mean"),
            "std": config.get("image_std"),
            "resize": size.get("shortest_edge"),
            "crop": crop.get("height"),
            # numbers of PIL's filters
            "interpolation": {2: "bilinear", 3: "bicubic"}.get(config.get("resample", -1)),
        }
    )
