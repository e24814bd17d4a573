"""How the field's projects lay out their checkpoints: one row per source.

Read from the projects' own saving and loading code. A row is taken if every one of its marks is
there; so the order counts, and rows with more marks stand first. docs/ENCODERS.md shows the table.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ssl_collapse.models.foreign import names
from ssl_collapse.models.foreign.content import Tensors, tensors_at
from ssl_collapse.models.foreign.preprocessing import (
    BICUBIC,
    BILINEAR,
    CLIP,
    NORMALISED,
    SWAV,
    UNKNOWN,
    Preprocessing,
)

PLACES = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict")
_RESNET, _VIT = r"conv1\.weight$", r"patch_embed\.proj\.weight$"


@dataclass(frozen=True)
class Layout:
    """One source's file.

    Attributes:
        source: what it is called in messages.
        places: entries that may hold its tensors, the preferred first; "" is the file itself.
        prefixes: what its encoder's names begin with, the preferred first; none: whatever stands
            before the only encoder. Names are compared without `module.` and `_orig_mod.`.
        marks: patterns that names of the entry must match from the start, each at least one.
        absent: patterns that none may match.
        beside: entries that the file must have.
        convert: from the names in the encoder to those of torchvision or timm.
        leave_out: what then belongs to heads and to training, by the start of its name.
        preprocessing: of its images.
        pooling: of its ViTs.
        heads: whether its ViTs have the usual number of heads for their width.
        small_stem: keys of a backbone with a 3x3 first convolution; None: the file does not tell.
    """

    source: str
    places: tuple[str, ...] = ("",)
    prefixes: tuple[str, ...] = ("",)
    marks: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ("fc.", "head.")
    convert: Callable[[Tensors], Tensors] = dict
    preprocessing: Preprocessing = BILINEAR
    pooling: str = "token"
    heads: bool = True
    small_stem: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Found:
    """The tensors of an encoder in a file, under the names of torchvision or timm."""

    layout: Layout
    place: str
    prefix: str
    tensors: Tensors


LAYOUTS = (
    Layout(
        "timm",
        ("state_dict_ema", "state_dict"),
        marks=(r".*\.weight$",),
        beside=("arch", "version"),
        leave_out=(),  # timm says which of its names are the classifier's
        preprocessing=UNKNOWN,
        heads=False,
    ),
    Layout("MoCo v1/v2", ("state_dict",), ("encoder_q.",)),
    # its names are also those of the reference code's BYOL and MoCo
    Layout("MoCo v3", ("state_dict",), ("base_encoder.",)),
    Layout(
        "stable-pretraining Lightning",
        ("state_dict",),
        ("backbone.teacher.", "backbone.student."),
        convert=names.hugging_face,
        preprocessing=UNKNOWN,
        heads=False,
    ),
    Layout(
        "lightly Lightning",  # its CIFAR ResNets: a Sequential without the stem's ReLU
        ("state_dict",),
        ("backbone.",),
        marks=(r"backbone\.2\.0\.conv1\.weight$",),
        convert=names.sequential_resnet,
        small_stem={"small_image_stem": True, "stem_relu": False},
    ),
    Layout(
        "lightly Lightning",
        ("state_dict",),
        ("backbone.vit.", "backbone."),
        marks=(r"(?:projection|prediction)_head\.",),
        convert=names.sequential_resnet,
        heads=False,
    ),
    Layout(
        "solo-learn Lightning",
        ("state_dict",),
        ("backbone.", "encoder."),
        marks=(r"classifier\.weight$",),
        preprocessing=UNKNOWN,
        heads=False,
        small_stem={"small_image_stem": True, "stem_padding": 2},
    ),
    Layout(
        "MMSelfSup or MMPretrain",
        ("state_dict",),
        ("backbone.",),
        beside=("meta",),
        leave_out=("fc.", "head.", "mask_token"),
        convert=names.mmpretrain,
        preprocessing=NORMALISED,  # mean and std times 255, after BGR became RGB
    ),
    Layout(
        "Lightning",
        ("state_dict",),
        ("backbone.",),
        convert=lambda tensors: names.hugging_face(names.sequential_resnet(tensors)),
        preprocessing=UNKNOWN,
        heads=False,
    ),
    Layout(
        "SimSiam (official or reference code)",
        ("state_dict",),
        ("encoder.",),
        marks=(rf"encoder\.(?:{_RESNET}|{_VIT})",),
    ),
    Layout(
        "SwAV",
        ("state_dict", ""),
        marks=(_RESNET, r"(?:projection_head|prototypes)\."),
        leave_out=("projection_head.", "prototypes."),
        preprocessing=SWAV,
    ),
    Layout("Barlow Twins or VICReg", ("model",), ("backbone.",), marks=(r"projector\.",)),
    Layout(
        "DINOv2 or DINOv3 training",
        ("teacher", "student"),
        ("backbone.",),
        marks=(r"backbone\.mask_token$",),
        leave_out=("mask_token", "head."),
        convert=names.dinov2_or_3,
        preprocessing=BICUBIC,
    ),
    Layout(
        "DINO or iBOT training",
        ("teacher", "student"),
        ("backbone.",),
        leave_out=("head.", "fc.", "masked_embed"),
        preprocessing=BICUBIC,
    ),
    Layout(
        "I-JEPA or V-JEPA",
        ("target_encoder", "encoder"),
        ("backbone.", ""),
        marks=(rf"(?:backbone\.)?{_VIT}",),
        preprocessing=NORMALISED,
        pooling="patch_mean",
    ),
    Layout(
        "VISSL",
        ("classy_state_dict.base_model.model.trunk", "model_state_dict", ""),
        ("_feature_blocks.",),
        preprocessing=NORMALISED,
    ),
    Layout(
        "OpenCLIP",
        ("state_dict", ""),
        ("visual.trunk.",),
        preprocessing=CLIP,
        heads=False,
    ),
    Layout(
        "OpenCLIP",
        ("state_dict", ""),
        ("visual.",),
        marks=(r"visual\.class_embedding$",),
        convert=names.open_clip,
        preprocessing=CLIP,
    ),
    Layout(
        "Hugging Face DINOv2",
        marks=(r"(?:dinov2(?:_with_registers)?\.)?embeddings\.cls_token$",),
        leave_out=("mask_token", "classifier."),
        convert=names.hugging_face,
        preprocessing=BICUBIC,
    ),
    Layout(
        "DINOv3 hub",
        marks=(r"downsample_layers\.0\.", r"norms\.3\."),
        leave_out=(),
        convert=names.convnext,
        preprocessing=BICUBIC,
        pooling="avgpool",
    ),
    Layout(
        "DINOv3 hub",
        marks=(r"storage_tokens$", r"rope_embed\."),
        leave_out=("mask_token", "head."),
        convert=names.dinov3,
        preprocessing=BICUBIC,
    ),
    Layout(
        "DINOv2 hub",
        marks=(r"mask_token$", r"blocks\.(?:\d+\.)+ls1\.gamma$"),
        leave_out=("mask_token", "head."),
        convert=names.dinov2,
        preprocessing=BICUBIC,
    ),
    Layout(
        "MAE",
        ("model",),
        marks=(_VIT,),
        absent=(r"head\.",),
        leave_out=("decoder_", "mask_token"),
        preprocessing=BICUBIC,
    ),
    Layout(
        "DINO or iBOT hub",
        ("", "state_dict"),
        marks=(_VIT, r"cls_token$"),
        absent=(r"head\.", r"norm_pre\."),
        leave_out=("masked_embed",),
        preprocessing=BICUBIC,
    ),
    Layout(
        "unnamed",
        ("", "model"),
        ("backbone.", "encoder."),
        convert=lambda tensors: names.hugging_face(names.sequential_resnet(tensors)),
        preprocessing=UNKNOWN,
        heads=False,
    ),
    # also the hub files of Barlow Twins, VICReg, DINO's ResNet-50 and what was distilled
    Layout(
        "torchvision",
        (*PLACES, ""),
        marks=(_RESNET, r"layer1\.0\.conv1\.weight$"),
    ),
    # a training of somebody's own, such as a LightningModule: `self.model = resnet18()`
    Layout("unnamed", (*PLACES, ""), (), preprocessing=UNKNOWN, heads=False),
    Layout(
        "timm",
        (*PLACES, ""),
        marks=(r".*\.weight$",),
        leave_out=(),
        preprocessing=UNKNOWN,
        heads=False,
    ),
)


OURS = Layout("this project's", ("model",), ("backbone.",), preprocessing=UNKNOWN)
BY_NAME = ("timm", "torchvision")  # whose files may say what their architecture is called


def find(content: Mapping[str, Any]) -> Found | None:
    """The encoder in a file's entries by the first row that fits; None where none does."""
    for layout in LAYOUTS:
        for place, prefix, tensors in _candidates(layout, content):
            inside = {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
            if inside:
                kept = names.without(layout.convert(inside), layout.leave_out)
                return Found(layout, place, prefix, kept)
    return None


def _candidates(layout: Layout, content: Mapping[str, Any]) -> Iterator[tuple[str, str, Tensors]]:
    if any(key not in content for key in layout.beside):
        return
    for place in layout.places:
        tensors = tensors_at(content, place)
        if tensors and _fits(layout, tensors):
            starts = names.starts_of_encoders(tensors)
            prefixes = layout.prefixes or (starts if len(starts) == 1 else [])
            yield from ((place, prefix, tensors) for prefix in prefixes)


def _fits(layout: Layout, tensors: Tensors) -> bool:
    def some(pattern: str) -> bool:
        return any(re.match(pattern, name) for name in tensors)

    return all(map(some, layout.marks)) and not any(map(some, layout.absent))
