"""What the tensors of an encoder say of its architecture, as the keys of a backbone."""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch

from ssl_collapse.config.backbones.timm_model import PREFIX, timm_names
from ssl_collapse.config.backbones.vit import PATCH
from ssl_collapse.models.backbones.torchvision_resnet import RESNETS, Shape
from ssl_collapse.models.backbones.vit import WIDTHS, sincos_positions
from ssl_collapse.models.foreign.content import Tensors
from ssl_collapse.models.foreign.layouts import Layout
from ssl_collapse.models.foreign.names import starts_of_encoders

Keys = dict[str, Any]
# width of a ViT -> its word in timm's names, its depth, its heads: in every source but MoCo v3
_VITS = {
    192: ("tiny", 12, 3),
    384: ("small", 12, 6),
    768: ("base", 12, 12),
    1024: ("large", 24, 16),
    1280: ("huge", 32, 16),
    1408: ("giant", 40, 16),
    1536: ("giant", 40, 24),
}
_DINOV3_HEADS = {1280: 20}
# width of the first stage, blocks of the third -> timm's name
_CONVNEXTS = {
    (96, 9): "convnext_tiny",
    (96, 27): "convnext_small",
    (128, 27): "convnext_base",
    (192, 27): "convnext_large",
}


class UndeterminedError(Exception):
    """The tensors fit no architecture, or several: the message says what to give."""


def architecture(tensors: Tensors, layout: Layout, given: Mapping[str, Any]) -> Keys:
    """The keys of the backbone whose tensors these are.

    Args:
        tensors: under the names of torchvision or timm.
        layout: the source, which may know what tensors do not show.
        given: keys of a backbone from outside, with its `arch`, or none; they win.

    Raises UndeterminedError.
    """
    if given and not given["arch"].startswith(PREFIX):
        return dict(given)
    if "patch_embed.proj.weight" in tensors and "blocks.0.norm1.weight" in tensors:
        return _vit(tensors, layout, given)
    if given:
        return dict(given)
    if {"conv1.weight", "layer1.0.conv1.weight"} <= tensors.keys():
        return _resnet(tensors, layout)
    if (name := _convnext(tensors)) in _CONVNEXTS:
        return {"arch": f"{PREFIX}{_CONVNEXTS[name]}", "pooling": "avgpool"}
    if len(starts := starts_of_encoders(tensors)) > 1:
        raise UndeterminedError(
            f"several encoders lie in it, under {', '.join(starts)}; save the tensors of one alone"
        )
    some = ", ".join(sorted(tensors)[:4])
    raise UndeterminedError(
        f"names such as {some} are of no ResNet and no ViT; give `backbone: {{arch: timm:NAME}}` "
        "where timm has the architecture"
    )


def _resnet(tensors: Tensors, layout: Layout) -> Keys:
    blocks = tuple(_blocks(tensors, rf"layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4))
    kind, groups, width = "basic", 1, 64
    if "layer1.0.conv3.weight" in tensors:
        out, width = tensors["layer1.0.conv2.weight"].shape[:2]
        kind, groups = "bottleneck", out // width
    shape = Shape(kind, blocks, groups, width)
    arch = next((name for name, known in RESNETS.items() if known == shape), None)
    keys: Keys = {"arch": arch}
    if arch is None:
        if groups > 1 or 0 in blocks:
            raise UndeterminedError(
                f"no ResNet of torchvision has {blocks} blocks, {groups} groups"
            )
        keys = {"arch": "resnet18", "block": kind, "blocks": list(blocks), "width_per_group": width}
    if tensors["conv1.weight"].shape[-1] != 3:
        return keys
    if layout.small_stem is None:
        raise UndeterminedError(
            "the first convolution is 3x3, and the file does not say what surrounds it; give "
            f"`backbone: {{arch: {keys['arch']}, small_image_stem: true}}` (padding 1, no "
            "max-pooling), with `stem_padding: 2` as solo-learn has it, or with "
            "`stem_relu: false` as in lightly's CIFAR ResNets"
        )
    return {**keys, **layout.small_stem}


def _convnext(tensors: Tensors) -> tuple[int, int]:
    """Width of the first stage and blocks of the third."""
    stem = tensors.get("stem.0.weight", torch.empty(0))
    return stem.shape[0], _blocks(tensors, r"stages\.2\.blocks\.(\d+)\.")


def _blocks(tensors: Tensors, pattern: str) -> int:
    """How many blocks there are, by the largest number."""
    numbers = [int(match[1]) for name in tensors if (match := re.match(pattern, name))]
    return max(numbers, default=-1) + 1


def _vit(tensors: Tensors, layout: Layout, given: Mapping[str, Any]) -> Keys:
    projection = tensors["patch_embed.proj.weight"]
    if projection.ndim == 5:
        raise UndeterminedError("its patches span several frames: an encoder of videos")
    width, patch = projection.shape[0], projection.shape[-1]
    depth = _blocks(tensors, r"blocks\.(\d+)\.")
    small_or_base = next((name for name, known in WIDTHS.items() if known == width), None)
    if not given and small_or_base and patch == PATCH and has_fixed_positions(tensors):
        return {"arch": small_or_base, "depth": depth}
    keys = _tokens(tensors, layout, patch)
    given_options = given.get("options", {})
    word, usual_depth, heads = _VITS.get(width, ("base", 0, 0))
    name, named = _timm_name(tensors, word, patch)
    heads = _DINOV3_HEADS.get(width, heads) if "dinov3" in name else heads
    numbers = _numbers(tensors, width, patch, depth, given_options.get("num_heads", heads))
    if not given:
        if "norm_pre.weight" in tensors or not (heads and layout.heads):
            raise UndeterminedError(_candidates(tensors, name, width, heads))
        keys["arch"] = f"{PREFIX}{name}"
        named_size = named and depth == usual_depth and "mlp_ratio" not in numbers
        keys["options"] |= {} if named_size else numbers
    elif "num_heads" in given_options:  # a size of its own, under the name of the kind
        keys["options"] |= numbers
    return {**keys, **given, "options": {**keys["options"], **given_options}}


def has_fixed_positions(tensors: Tensors) -> bool:
    """Whether a ViT has MoCo v3's positions, sines and cosines that no training changes."""
    positions = tensors.get("pos_embed", torch.zeros(1, 1, 1))[0]
    side = math.isqrt(len(positions) - 1)
    if side**2 != len(positions) - 1 or side < 2 or positions.shape[1] % 4:
        return False
    fixed = sincos_positions(side, side, positions.shape[1])
    return not positions[0].any() and torch.allclose(positions[1:].float(), fixed, atol=1e-5)


def _tokens(tensors: Tensors, layout: Layout, patch: int) -> Keys:
    """Class token, registers, positions and pooling of a timm ViT."""
    options: Keys = {}
    keys: Keys = {"options": options, "pooling": layout.pooling}
    has_class = "cls_token" in tensors
    if "pos_embed" in tensors:
        places = tensors["pos_embed"].shape[1]
        apart = has_class and math.isqrt(places) ** 2 == places  # tokens stand at no position
        side = math.isqrt(places - (has_class and not apart))
        keys["image_size"] = side * patch
        if apart:
            options["no_embed_class"] = True
    if "reg_token" in tensors:
        registers = tensors["reg_token"].shape[1]
        options["reg_tokens" if "pos_embed" in tensors else "num_reg_tokens"] = registers
    if not has_class:
        options["class_token"] = False
        keys["pooling"] = "patch_mean"
    if "fc_norm.weight" in tensors:
        keys["pooling"] = "patch_mean"
    if keys["pooling"] == "patch_mean":
        options["fc_norm"] = "fc_norm.weight" in tensors
    return keys


def _timm_name(tensors: Tensors, word: str, patch: int) -> tuple[str, bool]:
    """The model of timm that has these parts, and whether it has the size of `word`, too."""
    if "pos_embed" not in tensors:
        plus = "_plus" if "blocks.0.mlp.fc1_g.weight" in tensors else ""
        qkvb = "_qkvb" if "blocks.0.attn.q_bias" in tensors else ""
        name, other = (
            f"vit_{size}_dinov3{qkvb}" for size in (f"{word}{plus}_patch{patch}", "base_patch16")
        )
    elif "blocks.0.ls1.gamma" in tensors:
        end = "_reg4_dinov2" if "reg_token" in tensors else "_dinov2"
        name, other = f"vit_{word}_patch{patch}{end}", f"vit_base_patch14{end}"
    else:
        name, other = f"vit_{word}_patch{patch}_224", "vit_base_patch16_224"
    return (name, True) if name in timm_names() else (other, False)


def _numbers(tensors: Tensors, width: int, patch: int, depth: int, heads: int) -> Keys:
    """Options of timm for a ViT of another size than its name says."""
    hidden = tensors["blocks.0.mlp.fc2.weight"].shape[1]
    packed = tensors.get("blocks.0.mlp.fc1.weight", torch.empty(hidden, 0)).shape[0] // hidden
    numbers: Keys = {"embed_dim": width, "depth": depth, "num_heads": heads, "patch_size": patch}
    if packed * hidden != 4 * width:
        ratio = packed * hidden / width
        numbers["mlp_ratio"] = ratio if int(width * ratio) == packed * hidden else ratio + 1e-6
    return numbers


def _candidates(tensors: Tensors, name: str, width: int, heads: int) -> str:
    """What to give where the tensors of a ViT do not say everything."""
    if "norm_pre.weight" in tensors:
        return (
            "the file does not say which GELU its ViT has; give `backbone: {arch: "
            "timm:vit_base_patch16_clip_224}`, or `..._clip_quickgelu_224` for weights of OpenAI, "
            "with its size and patch in the name"
        )
    options = "" if heads else ", options: {num_heads: N}"
    usual = f" ({heads} heads)" if heads else ""
    moco = ", or for 12 heads `options: {num_heads: 12}`" if width == 384 else ""
    return (
        f"the tensors do not say how many heads a ViT of width {width} has; give "
        f"`backbone: {{arch: timm:{name}{options}}}`{usual}{moco}"
    )
