"""A checkpoint file of any known project -> the encoder in it, ready to use."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from ssl_collapse.config.backbones import timm_model, vit
from ssl_collapse.config.families import backbone_of
from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.config.types import StrictModel
from ssl_collapse.models.backbones.vit import default_heads
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.encoder_file import read_encoder
from ssl_collapse.models.foreign import layouts, names
from ssl_collapse.models.foreign.architecture import (
    UndeterminedError,
    architecture,
    has_fixed_positions,
)
from ssl_collapse.models.foreign.content import (
    Tensors,
    json_beside,
    metadata_of,
    read_content,
    tensors_at,
)
from ssl_collapse.models.foreign.preprocessing import (
    UNKNOWN,
    Preprocessing,
    of_processor,
    of_timm,
)
from ssl_collapse.runtime.errors import UserError

_SHOWN = 8  # names of each kind in a message


@dataclass(frozen=True)
class ForeignEncoder:
    """An encoder from a file.

    Attributes:
        module: in eval mode, without gradients, (N, 3, H, W) -> (N, feature_dim).
        backbone: the config that builds it.
        feature_dim: width of its representations.
        pooling: "avgpool", "token" or "patch_mean".
        preprocessing: of its images, as far as the file and its source tell.
        said: where it lay and what it is, in one line.
        epoch: what the file's own entry `epoch` says.
    """

    module: nn.Module
    backbone: StrictModel
    feature_dim: int
    pooling: str
    preprocessing: Preprocessing
    said: str
    epoch: int | None = None


def read_foreign(path: Path, backbone: StrictModel | None = None) -> ForeignEncoder:
    """Recognise a checkpoint by its names of tensors, and build the encoder that is in it.

    Args:
        path: .pt, .pth, .ckpt, .tar or .safetensors; also a checkpoint or an encoder file of ours.
        backbone: what the encoder is; None: what the file says.

    Raises UserError for a file that cannot be read, that fits no known layout or several
    architectures, or whose tensors are not exactly those of the architecture.
    """
    if "backbone" in metadata_of(path):
        return _our_encoder(path)
    content = read_content(path)
    found, config = _recognised(path, content, backbone)
    with torch.random.fork_rng(devices=[]):
        module, feature_dim = build_backbone(config)
    tensors = names.without(found.tensors, _left_to_heads(module, config, found.tensors))
    expected = module.state_dict()
    if problems := list(_problems(tensors, expected)):
        raise UserError("\n  ".join([f"{path}: {_said(found, config)}, does not fit:", *problems]))
    module.load_state_dict({**_untracked(tensors, expected), **tensors})
    epoch = content.get("epoch")
    return ForeignEncoder(
        module=module.eval().requires_grad_(False),
        backbone=config,
        feature_dim=feature_dim,
        pooling=pooling(config),
        preprocessing=_preprocessing(path, content, found, module),
        said=f"{_said(found, config)}, {len(tensors)} of {len(expected)} tensors",
        epoch=epoch if type(epoch) is int else None,
    )


def _recognised(
    path: Path, content: Mapping[str, Any], backbone: StrictModel | None
) -> tuple[layouts.Found, StrictModel]:
    """Where the encoder lies in a file, and what it is."""
    source = ""
    try:
        found = _ours(content) or layouts.find(content)
        if found is None:
            some = ", ".join(map(str, list(content)[:_SHOWN]))
            raise UndeterminedError(f"no encoder of a known layout (docs/ENCODERS.md) in: {some}")
        source = f"{found.layout.source} file: "
        keys = backbone.model_dump(exclude_unset=True) if backbone else None
        given = _named(path, content, found) if keys is None else keys
        return found, backbone_of(architecture(found.tensors, found.layout, given))
    except UndeterminedError as error:
        raise UserError(f"{path}: {source}{error}") from None
    except ValidationError as error:
        raise UserError(f"{path}: {source}{error.errors()[0]['msg']}") from None
    except (LookupError, ValueError, RuntimeError, ArithmeticError):  # tensors of odd shapes
        raise UserError(f"{path}: {source}its tensors have the shapes of no encoder") from None


def _our_encoder(path: Path) -> ForeignEncoder:
    module, metadata = read_encoder(path)
    config = backbone_of(json.loads(metadata["backbone"]))
    return ForeignEncoder(
        module=module,
        backbone=config,
        feature_dim=int(metadata["feature_dim"]),
        pooling=pooling(config),
        preprocessing=Preprocessing.from_values(json.loads(metadata.get("preprocessing", "{}"))),
        said=f"encoder file of this project, {label(config)}, all tensors",
        epoch=int(metadata["epoch"]),
    )


def _ours(content: Mapping[str, Any]) -> layouts.Found | None:
    """The backbone in a training checkpoint of this project."""
    if not isinstance(content.get("recipe"), str) or "model" not in content:
        return None
    prefix = "backbone."
    tensors = tensors_at(content, "model")
    inside = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return layouts.Found(layouts.OURS, "model", prefix, inside)


def _named(path: Path, content: Mapping[str, Any], found: layouts.Found) -> dict[str, Any]:
    """The architecture that a file, or the JSON beside it, calls by name."""
    if found.layout is layouts.OURS:
        spec = PretrainSpec.from_spec(content["recipe"])
        return dict(spec.backbone.model_dump(exclude_unset=True))
    if found.layout.source not in layouts.BY_NAME:
        return {}
    name = json_beside(path, "config.json").get("architecture")
    if name is None and found.layout.beside:
        name = content.get("arch")
    known = isinstance(name, str) and name in timm_model.timm_names()
    return {"arch": f"{timm_model.PREFIX}{name}"} if known else {}


def _left_to_heads(module: nn.Module, config: StrictModel, tensors: Tensors) -> tuple[str, ...]:
    """Starts of names that are no part of a backbone: timm's classifier, computed positions."""
    if isinstance(config, vit.Config) and has_fixed_positions(tensors):
        return ("pos_embed",)
    if not isinstance(config, timm_model.Config):
        return ()
    classifier: Any = getattr(module, "pretrained_cfg", {}).get("classifier") or ()
    several = (classifier,) if isinstance(classifier, str) else classifier
    return tuple(f"{name}." for name in several)


def _problems(tensors: Tensors, expected: Tensors) -> Iterator[str]:
    """What is missing, unmatched, or of another shape or type, one line for each kind."""
    untracked = _untracked(tensors, expected)
    missing = [name for name in expected if name not in tensors and name not in untracked]
    shapes = [
        f"{name} {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    unmatched = [name for name in tensors if name not in expected]
    types = [  # quantized, or complex: as floating-point numbers they would mean something else
        f"{name} {tensors[name].dtype}"
        for name, tensor in expected.items()
        if name in tensors and tensor.is_floating_point() and not tensors[name].is_floating_point()
    ]
    kinds = {
        "missing": missing, "not of it": unmatched, "of another shape": shapes,
        "not of floating-point numbers": types,
    }  # fmt: skip
    for kind, some in kinds.items():
        if some:
            more = f", and {len(some) - _SHOWN} more" if len(some) > _SHOWN else ""
            yield f"{kind}: {', '.join(some[:_SHOWN])}{more}"


def _untracked(tensors: Tensors, expected: Tensors) -> Tensors:
    """Counters that old files lack and that no representation depends on."""
    return {
        name: tensor
        for name, tensor in expected.items()
        if name.endswith(".num_batches_tracked") and name not in tensors
    }


def _preprocessing(
    path: Path, content: Mapping[str, Any], found: layouts.Found, module: nn.Module
) -> Preprocessing:
    """What the source does, over which goes what the file and the JSON beside it say."""
    if found.layout is layouts.OURS:
        return Preprocessing.from_values({**json.loads(content["recipe"]), "resize": None})
    known = found.layout.preprocessing
    if found.layout.source in layouts.BY_NAME and found.layout.preprocessing == UNKNOWN:
        known = of_timm(getattr(module, "pretrained_cfg", {}))
    beside = json_beside(path, "config.json").get("pretrained_cfg")
    processor = json_beside(path, "preprocessor_config.json")
    return known.under(of_timm(beside or {})).under(of_processor(processor))


def _said(found: layouts.Found, config: StrictModel) -> str:
    place = f"{found.prefix}*" if found.prefix else found.place or "flat"
    return f"{found.layout.source} file, {place}, {label(config)}"


def pooling(config: Any) -> str:
    """How a backbone makes one representation of an image."""
    return str(getattr(config, "pooling", "avgpool") or "timm's own")


def label(config: Any) -> str:
    """The architecture as papers write it."""
    if isinstance(config, timm_model.Config):
        return str(config.arch)
    if isinstance(config, vit.Config):
        heads = config.heads or default_heads(config.arch, config.depth)
        size = "S" if config.arch == "vit_small" else "B"
        return f"ViT-{size}/16 of {config.depth} blocks and {heads} heads"
    name = re.sub(r"^(wide_)?resne(t|xt)(\d+)", _resnet_name, config.arch)
    return f"{name} with a 3x3 stem" if getattr(config, "small_image_stem", False) else name


def _resnet_name(match: re.Match[str]) -> str:
    wide, kind, depth = match.groups()
    return f"{'Wide ' if wide else ''}ResNe{'Xt' if kind == 'xt' else 't'}-{depth}"
