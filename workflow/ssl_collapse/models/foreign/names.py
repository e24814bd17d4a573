"""From a source's names of tensors to those of torchvision or timm.

Names are taken apart where a pattern matches a whole part of them, from the start; nothing is
replaced inside of a name.
"""

import re
from collections.abc import Iterable, Mapping

import torch

from ssl_collapse.models.foreign.content import Tensors

Renames = Iterable[tuple[str, str]]  # pattern at the start of a name -> what stands there then


def renamed(tensors: Tensors, renames: Renames) -> Tensors:
    """The tensors, each under the first pattern that matches the start of its name."""
    patterns = [(re.compile(pattern), new) for pattern, new in renames]

    def new_name(name: str) -> str:
        for pattern, new in patterns:
            if match := pattern.match(name):
                return match.expand(new) + name[match.end() :]
        return name

    return {new_name(name): tensor for name, tensor in tensors.items()}


def starts_of_encoders(tensors: Tensors) -> list[str]:
    """What stands before the names of each ResNet or ViT; "" where nothing does."""
    first = re.compile(r"(|.+\.)(?:layer1\.0\.conv1|patch_embed\.proj)\.weight")
    return sorted({match[1] for name in tensors if (match := first.fullmatch(name))})


def sequential_resnet(tensors: Tensors) -> Tensors:
    """`nn.Sequential(*list(resnet.children())[:-1])` -> the names of its children.

    torchvision's children: 0 conv1, 1 bn1, 2 ReLU, 3 max-pooling, 4 to 7 the stages. Those of
    lightly's CIFAR ResNets: 0 conv1, 1 bn1, 2 to 5 the stages, whose shortcuts have another name.
    """
    if "0.weight" not in tensors:
        return tensors
    first = 4 if "4.0.conv1.weight" in tensors and "2.0.conv1.weight" not in tensors else 2
    stages = [
        (rf"{first + i}\.(\d+)\.shortcut\.", rf"layer{i + 1}.\1.downsample.") for i in range(4)
    ]
    stages += [(rf"{first + i}\.", f"layer{i + 1}.") for i in range(4)]
    return renamed(tensors, [*stages, (r"0\.", "conv1."), (r"1\.", "bn1.")])


def mmpretrain(tensors: Tensors) -> Tensors:
    """MMSelfSup's and MMPretrain's ViT -> timm's names; its ResNets have torchvision's."""
    block = r"layers\.(\d+)\."
    return renamed(
        tensors,
        [
            (r"patch_embed\.projection\.", "patch_embed.proj."),
            (block + r"(?:ln|norm)([12])\.", r"blocks.\1.norm\2."),
            (block + r"ffn\.layers\.0\.0\.", r"blocks.\1.mlp.fc1."),
            (block + r"ffn\.layers\.1\.", r"blocks.\1.mlp.fc2."),
            (block, r"blocks.\1."),
            (r"(?:ln|norm)1\.", "norm."),
        ],
    )


def hugging_face(tensors: Tensors) -> Tensors:
    """Hugging Face's Dinov2Model -> the names of DINOv2's hub file; its q, k and v are joined."""
    tensors = renamed(tensors, [(r"dinov2(?:_with_registers)?\.", "")])
    if "embeddings.cls_token" not in tensors:
        return tensors
    block = r"encoder\.layer\.(\d+)\."
    tensors = renamed(
        tensors,
        [
            (r"embeddings\.position_embeddings$", "pos_embed"),
            (r"embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"embeddings\.", ""),
            (block + r"attention\.attention\.", r"blocks.\1.attn."),
            (block + r"attention\.output\.dense\.", r"blocks.\1.attn.proj."),
            (block + r"layer_scale([12])\.lambda1", r"blocks.\1.ls\2.gamma"),
            (block + r"mlp\.weights_in\.", r"blocks.\1.mlp.w12."),
            (block + r"mlp\.weights_out\.", r"blocks.\1.mlp.w3."),
            (block, r"blocks.\1."),
            (r"layernorm\.", "norm."),
        ],
    )
    return dinov2(_joined(tensors, r"(blocks\.\d+\.attn\.)query\.(\w+)"))


def _joined(tensors: Tensors, query: str) -> Tensors:
    joined = dict(tensors)
    for name in tensors:
        if match := re.fullmatch(query, name):
            start, end = match.groups()
            names = [f"{start}{part}.{end}" for part in ("query", "key", "value")]
            if all(part in tensors for part in names):
                joined[f"{start}qkv.{end}"] = torch.cat([joined.pop(part) for part in names])
    return joined


def dinov2(tensors: Tensors) -> Tensors:
    """DINOv2's ViT -> timm's names: blocks without chunks; registers stand at no position.

    With registers timm adds the class token's position to the token once and for all.
    """
    tensors = renamed(
        tensors,
        [
            (r"blocks\.\d+\.(\d+)\.", r"blocks.\1."),
            (r"blocks\.(\d+)\.mlp\.w12\.", r"blocks.\1.mlp.fc1."),
            (r"blocks\.(\d+)\.mlp\.w3\.", r"blocks.\1.mlp.fc2."),
            (r"register_tokens$", "reg_token"),
        ],
    )
    if "reg_token" in tensors and {"cls_token", "pos_embed"} <= tensors.keys():
        positions = tensors["pos_embed"]
        tensors["cls_token"] = tensors["cls_token"] + positions[:, :1]
        tensors["pos_embed"] = positions[:, 1:]
    return tensors


def dinov3(tensors: Tensors) -> Tensors:
    """DINOv3's ViT -> timm's names; fixed values (RoPE periods, masks) and zero biases go.

    The bias of keys is masked to zero in DINOv3. Where those of queries and values are zero, too,
    timm's model has none of them.
    """
    tensors = renamed(
        tensors,
        [
            (r"blocks\.(\d+)\.ls([12])\.gamma", r"blocks.\1.gamma_\2"),
            (r"blocks\.(\d+)\.mlp\.w1\.", r"blocks.\1.mlp.fc1_g."),
            (r"blocks\.(\d+)\.mlp\.w2\.", r"blocks.\1.mlp.fc1_x."),
            (r"blocks\.(\d+)\.mlp\.w3\.", r"blocks.\1.mlp.fc2."),
            (r"storage_tokens$", "reg_token"),
        ],
    )
    left_out = re.compile(r"rope_embed\.|local_cls_norm\.|blocks\.\d+\.attn\.qkv\.bias_mask$")
    tensors = {name: t for name, t in tensors.items() if not left_out.match(name)}
    biases = [name for name in tensors if name.endswith(".attn.qkv.bias")]
    parts = {name: tensors.pop(name).nan_to_num().chunk(3) for name in biases}
    if any(part.any() for q, _, v in parts.values() for part in (q, v)):
        for name, (q, _, v) in parts.items():
            start = name.removesuffix("qkv.bias")
            tensors |= {f"{start}q_bias": q, f"{start}v_bias": v}
    return tensors


def dinov2_or_3(tensors: Tensors) -> Tensors:
    """A training's ViT, which is DINOv3's if it has storage tokens, -> timm's names."""
    return (dinov3 if "storage_tokens" in tensors else dinov2)(tensors)


def convnext(tensors: Tensors) -> Tensors:
    """The ConvNeXt of its authors and of DINOv3 -> timm's names; DINOv3 has its last norm twice."""
    block = r"stages\.(\d+)\.(\d+)\."
    return renamed(
        without(tensors, ["norms."]),
        [
            (r"downsample_layers\.0\.", "stem."),
            (r"downsample_layers\.(\d+)\.", r"stages.\1.downsample."),
            (block + r"dwconv\.", r"stages.\1.blocks.\2.conv_dw."),
            (block + r"pwconv([12])\.", r"stages.\1.blocks.\2.mlp.fc\3."),
            (block, r"stages.\1.blocks.\2."),
            (r"norm\.", "head.norm."),
        ],
    )


def open_clip(tensors: Tensors) -> Tensors:
    """OpenCLIP's own ViT -> timm's names; the projection into the space of texts goes."""
    if "class_embedding" not in tensors:
        return tensors
    block = r"transformer\.resblocks\.(\d+)\."
    tensors = renamed(
        {name: tensor for name, tensor in tensors.items() if name != "proj"},
        [
            (r"conv1\.", "patch_embed.proj."),
            (r"class_embedding$", "cls_token"),
            (r"positional_embedding$", "pos_embed"),
            (r"ln_pre\.", "norm_pre."),
            (r"ln_post\.", "norm."),
            (block + r"ln_([12])\.", r"blocks.\1.norm\2."),
            (block + r"attn\.in_proj_", r"blocks.\1.attn.qkv."),
            (block + r"attn\.out_proj\.", r"blocks.\1.attn.proj."),
            (block + r"mlp\.c_fc\.", r"blocks.\1.mlp.fc1."),
            (block + r"mlp\.c_proj\.", r"blocks.\1.mlp.fc2."),
        ],
    )
    # of shape (width,) and (tokens, width) there
    return {
        name: tensor.reshape(1, -1, tensor.shape[-1])
        if name in ("cls_token", "pos_embed")
        else tensor
        for name, tensor in tensors.items()
    }


def without(tensors: Mapping[str, torch.Tensor], left_out: Iterable[str]) -> Tensors:
    """The tensors whose names do not begin with one of these prefixes."""
    prefixes = tuple(left_out)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(prefixes)}
