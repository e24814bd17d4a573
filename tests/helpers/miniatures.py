"""Networks of torchvision and timm in miniature, under the names that other projects save."""

import argparse
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from ssl_collapse.models.foreign.encoder import ForeignEncoder

Tensors = dict[str, Tensor]
HEAD = torch.zeros(3)  # of a projector, a classifier, a queue
NAMESPACE = argparse.Namespace(arch="vit_tiny", lr=0.1)


def random_weights(module: nn.Module) -> nn.Module:
    """Every tensor drawn, so that no two of a kind can be swapped unseen."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.randn(tensor.shape, generator=generator) * 0.1
            tensor.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return module.eval()


def without_fc(model: nn.Module) -> nn.Module:
    model.fc = nn.Identity()
    return model


RESNET = random_weights(without_fc(torchvision.models.resnet18()))
R = RESNET.state_dict()


def vit(name: str = "vit_tiny_patch16_224", **options: Any) -> nn.Module:
    """One block of timm's: 192 wide, 3 heads, two by two patches."""
    patch = options.pop("patch", 16)
    return random_weights(
        timm.create_model(name, num_classes=0, depth=1, img_size=2 * patch, **options)
    )


VIT = vit()
V = VIT.state_dict()
TINY = {"embed_dim": 192, "num_heads": 3}


def under(prefix: str, tensors: Tensors = R) -> Tensors:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def spelled(tensors: Tensors, *pairs: tuple[str, str]) -> Tensors:
    """Names with parts replaced: what a source calls timm's tensors."""
    names = {}
    for name, tensor in tensors.items():
        for ours, theirs in pairs:
            name = name.replace(ours, theirs)
        names[name] = tensor
    return names


def heads(*names: str) -> Tensors:
    return dict.fromkeys(names, HEAD)


def lightning(tensors: Tensors, *names: str) -> dict[str, Any]:
    state = {**tensors, **heads(*names)}
    return {"epoch": 3, "pytorch-lightning_version": "2.1", "state_dict": state}


def sequential(tensors: Tensors) -> Tensors:
    children = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    return {
        f"{children.index(name.partition('.')[0])}.{name.partition('.')[2]}": tensor
        for name, tensor in tensors.items()
    }


# A CIFAR ResNet of lightly: children conv1, bn1, layer1..4 in a Sequential, which has no ReLU
# after bn1, since that is called in the forward of the ResNet alone.
def small(padding: int, relu: bool) -> nn.Module:
    model = without_fc(torchvision.models.resnet18())
    model.conv1 = nn.Conv2d(3, 64, 3, 1, padding, bias=False)
    model.maxpool = nn.Identity()
    if not relu:
        model.relu = nn.Identity()
    return random_weights(model)


SMALL, LIGHTLY = small(2, True), small(1, False)


def lightly_cifar() -> Tensors:
    numbers = {"conv1": 0, "bn1": 1, "layer1": 2, "layer2": 3, "layer3": 4, "layer4": 5}
    return {
        f"backbone.{numbers[n.partition('.')[0]]}.{n.partition('.')[2]}".replace(
            "downsample", "shortcut"
        ): t
        for n, t in LIGHTLY.state_dict().items()
    }


MOCO_HEADS = ("module.base_encoder.head.0.weight", "module.predictor.0.weight")
IJEPA = vit(class_token=False, global_pool="avg", fc_norm=False)
DINO2 = vit("vit_small_patch14_dinov2", patch=14, **TINY)
REGISTERS = vit("vit_small_patch14_reg4_dinov2", patch=14, **TINY)
DINO3 = random_weights(
    timm.create_model(
        "vit_small_patch16_dinov3", num_classes=0, depth=1, global_pool="token", **TINY
    )
)
CLIP = vit("vit_base_patch16_clip_224", **TINY)


def dinov2_with_registers() -> Tensors:
    """The class token without its position, which timm adds once and for all."""
    tensors = dict(REGISTERS.state_dict())
    position = torch.full((1, 1, 192), 0.25)
    timms = tensors.pop("cls_token")
    tensors["cls_token"] = timms - position
    REGISTERS.cls_token.data.copy_(tensors["cls_token"] + position)  # rounded as the file's sum
    tensors["pos_embed"] = torch.cat([position, tensors["pos_embed"]], 1)
    tensors["register_tokens"] = tensors.pop("reg_token")
    return {**tensors, "mask_token": HEAD}


def dinov3() -> Tensors:
    names = ("gamma_1", "ls1.gamma"), ("gamma_2", "ls2.gamma"), ("reg_token", "storage_tokens")
    tensors = spelled(DINO3.state_dict(), *names)
    fixed = heads("mask_token", "rope_embed.periods", "blocks.0.attn.qkv.bias_mask")
    return {**tensors, **fixed, "blocks.0.attn.qkv.bias": torch.zeros(576)}


def hugging_face() -> Tensors:
    tensors = spelled(
        DINO2.state_dict(),
        ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
        ("pos_embed", "embeddings.position_embeddings"),
        ("cls_token", "embeddings.cls_token"),
        ("blocks.", "encoder.layer."),
        (".attn.proj.", ".attention.output.dense."),
        ("ls1.gamma", "layer_scale1.lambda1"),
        ("ls2.gamma", "layer_scale2.lambda1"),
    )
    for end in ("weight", "bias"):
        joined = tensors.pop(f"encoder.layer.0.attn.qkv.{end}")
        for part, tensor in zip(("query", "key", "value"), joined.chunk(3), strict=True):
            name = f"encoder.layer.0.attention.attention.{part}.{end}"
            tensors[name] = tensor.contiguous()
        tensors[f"layernorm.{end}"] = tensors.pop(f"norm.{end}")
    return {**tensors, "embeddings.mask_token": HEAD}


def open_clip() -> Tensors:
    tensors = spelled(
        CLIP.state_dict(),
        ("norm_pre", "ln_pre"),
        ("patch_embed.proj", "conv1"),
        ("pos_embed", "positional_embedding"),
        ("cls_token", "class_embedding"),
        ("blocks.", "transformer.resblocks."),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"),
        ("norm1", "ln_1"),
        ("norm2", "ln_2"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    )
    for end in ("weight", "bias"):
        tensors[f"ln_post.{end}"] = tensors.pop(f"norm.{end}")
    tensors["class_embedding"] = tensors["class_embedding"][0, 0]
    tensors["positional_embedding"] = tensors["positional_embedding"][0]
    return {
        **under("visual.", {**tensors, "proj": HEAD}),
        "logit_scale": HEAD,
        "ln_final.bias": HEAD,
    }


MM = (
    ("blocks.", "layers."),
    ("norm", "ln"),
    ("mlp.fc1", "ffn.layers.0.0"),
    ("mlp.fc2", "ffn.layers.1"),
    ("patch_embed.proj", "patch_embed.projection"),
)


def mmpretrain() -> Tensors:
    tensors = spelled(V, *MM)
    for end in ("weight", "bias"):
        tensors[f"ln1.{end}"] = tensors.pop(f"ln.{end}")
    return under("backbone.", tensors)


# source and place said; what the file holds; the same network of torchvision or timm; its pooling
LAYOUTS: dict[str, tuple[Any, nn.Module, str]] = {
    "torchvision file, flat": ({**R, **heads("fc.weight", "fc.bias")}, RESNET, "avgpool"),
    "MoCo v1/v2 file, encoder_q.*": (
        {"epoch": 200, "arch": "resnet18",
         "state_dict": {**under("module.encoder_q."), **under("module.encoder_k."),
                        **heads("module.encoder_q.fc.0.weight", "module.queue")}},
        RESNET, "avgpool",
    ),
    "MoCo v3 file, base_encoder.*": (
        {"state_dict": {**under("module.base_encoder."), **under("module.momentum_encoder."),
                        **heads("module.base_encoder.fc.0.weight", "module.predictor.0.weight")}},
        RESNET, "avgpool",
    ),
    "SimSiam (official or reference code) file, encoder.*": (
        {"state_dict": {**under("module.encoder."),
                        **heads("module.encoder.fc.0.weight", "module.predictor.0.weight")}},
        RESNET, "avgpool",
    ),
    "Barlow Twins or VICReg file, backbone.*": (
        {"epoch": 9, "model": {**under("module.backbone."), **heads("module.projector.0.weight")}},
        RESNET, "avgpool",
    ),
    "SwAV file, flat": (
        {**under("module."),
         **heads("module.projection_head.0.weight", "module.prototypes.weight")},
        RESNET, "avgpool",
    ),
    "SwAV file, state_dict": (
        {"state_dict": {**under("module."), **heads("module.prototypes.weight")}},
        RESNET, "avgpool",
    ),
    "DINO or iBOT hub file, flat": (V, VIT, "token"),
    "DINO or iBOT hub file, state_dict": ({"state_dict": V}, VIT, "token"),
    "DINO or iBOT training file, backbone.*": (
        {"teacher": {**under("backbone.", V),
                     **heads("head.mlp.0.weight", "backbone.masked_embed")},
         "student": under("module.backbone.", V), "args": NAMESPACE},
        VIT, "token",
    ),
    "DINOv2 hub file, flat": ({**DINO2.state_dict(), **heads("mask_token")}, DINO2, "token"),
    "DINOv2 or DINOv3 training file, backbone.*": (
        {"teacher": {**under("module.backbone.", dinov2_with_registers()),
                     **heads("module.dino_head.mlp.0.weight")}},
        REGISTERS, "token",
    ),
    "DINOv3 hub file, flat": (dinov3(), DINO3, "token"),
    "MAE file, model": (
        {"model": {**V, **heads("mask_token", "decoder_embed.weight", "decoder_pos_embed")},
         "args": NAMESPACE},
        VIT, "token",
    ),
    "I-JEPA or V-JEPA file, target_encoder": (
        {"encoder": under("module.", IJEPA.state_dict()), "predictor": heads("module.x"),
         "target_encoder": under("module.", IJEPA.state_dict())},
        IJEPA, "patch_mean",
    ),
    "VISSL file, _feature_blocks.*": (
        {"classy_state_dict": {"base_model": {"model": {
            "trunk": under("_feature_blocks."), "heads": heads("0.clf.0.weight")}}}},
        RESNET, "avgpool",
    ),
    "MMSelfSup or MMPretrain file, backbone.*": (
        {"meta": {"epoch": 3}, "state_dict": {**mmpretrain(), **heads("neck.fc0.weight")}},
        VIT, "token",
    ),
    "lightly Lightning file, backbone.*": (
        lightning(under("backbone.", sequential(R)), "projection_head.layers.0.weight"),
        RESNET, "avgpool",
    ),
    "lightly Lightning file, backbone.*, ResNet-18 with a 3x3 stem": (
        lightning(lightly_cifar()), LIGHTLY, "avgpool",
    ),
    "solo-learn Lightning file, backbone.*": (
        lightning(under("backbone.", SMALL.state_dict()), "classifier.weight", "projector.weight"),
        SMALL, "avgpool",
    ),
    "solo-learn Lightning file, encoder.*": (
        lightning(under("encoder."), "classifier.weight"), RESNET, "avgpool",
    ),
    "stable-pretraining Lightning file, backbone.teacher.*": (
        lightning({**under("backbone.student.", SMALL.state_dict()),
                   **under("backbone.teacher.")}, "projector.0.weight"),
        RESNET, "avgpool",
    ),
    "Lightning file, backbone.*": (
        lightning(under("_orig_mod.backbone."), "projector.weight"),
        RESNET, "avgpool",
    ),
    "unnamed file, model.net.*": (
        lightning(under("model.net."), "criterion.weight"), RESNET, "avgpool",
    ),
    "Hugging Face DINOv2 file, flat": (hugging_face(), DINO2, "token"),
}  # fmt: skip


def written(folder: Path, content: Any, name: str = "file.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def same_features(encoder: ForeignEncoder, oracle: nn.Module) -> bool:
    size = 2 * oracle.patch_embed.patch_size[0] if hasattr(oracle, "patch_embed") else 32
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return torch.equal(encoder.module(images), oracle(images))
