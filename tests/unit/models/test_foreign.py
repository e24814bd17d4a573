"""Checkpoints of other projects, in miniatures with their own names of tensors.

Every row of LAYOUTS writes what the source saves; the oracle is torchvision's or timm's own module
with the same weights, whose features must be the same bits.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from toy import pretrain_spec

from ssl_collapse.config.families import backbone_of
from ssl_collapse.models.build import build_backbone
from ssl_collapse.models.foreign.architecture import architecture
from ssl_collapse.models.foreign.encoder import ForeignEncoder, read_foreign
from ssl_collapse.models.foreign.layouts import Layout
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.export import export_encoder

Tensors = dict[str, Tensor]
HEAD = torch.zeros(3)  # of a projector, a classifier, a queue
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


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


NAMESPACE = argparse.Namespace(arch="vit_tiny", lr=0.1)
# source and place said; what the file holds; the same network of torchvision or timm; its pooling
LAYOUTS: dict[str, tuple[Any, nn.Module, str]] = {
    "torchvision file, flat": ({**R, **heads("fc.weight", "fc.bias")}, RESNET, "avgpool"),
    "MoCo v1/v2 file, encoder_q.*": (
        {
            "epoch": 200,
            "arch": "resnet18",
            "state_dict": {
                **under("module.encoder_q."),
                **under("module.encoder_k."),
                **heads("module.encoder_q.fc.0.weight", "module.queue", "module.queue_ptr"),
            },
        },
        RESNET,
        "avgpool",
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


@pytest.mark.parametrize("said", LAYOUTS)
def test_every_source_is_recognised_and_its_features_are_the_same_bits(said: str, tmp_path: Path):
    content, oracle, pooling = LAYOUTS[said]
    encoder = read_foreign(written(tmp_path, content))
    total = len(encoder.module.state_dict())
    assert encoder.said.startswith(said)
    assert encoder.said.endswith(f", {total} of {total} tensors")
    assert (encoder.pooling, encoder.module.training) == (pooling, False)
    assert same_features(encoder, oracle)


def test_moco_v3s_vit_is_known_by_its_fixed_positions(tmp_path: Path):
    """Its ViT-S has 12 heads at 12 blocks, which no tensor shows; here one block, so 6."""
    oracle = vit("vit_small_patch16_224", num_heads=6)
    # moco-v3/vits.py for 2 x 2 patches: sin and cos of the row, then of the column, 96 each
    frequency = 1 / 10000 ** (torch.arange(96) / 96)
    rows, columns = torch.tensor([0.0, 0, 1, 1]), torch.tensor([0.0, 1, 0, 1])
    angles = [torch.outer(axis, frequency) for axis in (rows, columns)]
    positions = torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], 1)
    oracle.pos_embed.data = torch.cat([torch.zeros(1, 384), positions])[None]
    state = {**under("module.base_encoder.", oracle.state_dict()), **heads(*MOCO_HEADS)}
    encoder = read_foreign(written(tmp_path, {"state_dict": state}))
    assert encoder.said == (
        "MoCo v3 file, base_encoder.*, ViT-S/16 of 1 blocks and 6 heads, 17 of 17 tensors"
    )
    assert same_features(encoder, oracle)


@pytest.mark.parametrize(("prefix", "tensors"), [("", open_clip()), ("visual.trunk.", V)])
def test_what_a_file_does_not_say_of_a_vit_is_asked_for_by_name(
    prefix: str, tensors: Tensors, tmp_path: Path
):
    path = written(tmp_path, {"state_dict": under(prefix, tensors)})
    with pytest.raises(UserError, match=r"give `backbone: \{arch: timm:vit_") as error:
        read_foreign(path)
    asked = "which GELU" if not prefix else "how many heads a ViT of width 192"
    assert asked in str(error.value)
    arch = "timm:vit_tiny_patch16_224" if prefix else "timm:vit_base_patch16_clip_224"
    given = backbone_of({"arch": arch, "options": {"num_heads": 3}})
    encoder = read_foreign(path, given)
    assert same_features(encoder, VIT if prefix else CLIP)
    assert encoder.preprocessing.mean == (0.48145466, 0.4578275, 0.40821073)


def test_a_small_stem_that_the_file_does_not_explain_is_asked_for(tmp_path: Path):
    path = written(tmp_path, SMALL.state_dict())
    with pytest.raises(UserError, match=r"3x3.*stem_padding: 2.*stem_relu: false"):
        read_foreign(path)
    keys = {"arch": "resnet18", "small_image_stem": True, "stem_padding": 2}
    assert same_features(read_foreign(path, backbone_of(keys)), SMALL)


@pytest.mark.parametrize(
    "arch", ["resnet34", "resnet50", "wide_resnet50_2", "resnext50_32x4d", "resnet101"]
)
def test_a_resnet_is_known_by_its_shapes(arch: str, tmp_path: Path):
    with torch.device("meta"):
        names = without_fc(getattr(torchvision.models, arch)()).state_dict()
    # expanded zeros: torch.save writes one number for each tensor
    content = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in names.items()}
    encoder = read_foreign(written(tmp_path, content))
    assert (encoder.backbone.arch, encoder.feature_dim) == (
        arch,
        512 if arch == "resnet34" else 2048,
    )


def test_the_papers_variants_are_known_by_their_shapes(tmp_path: Path):
    model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 2, 1, 1])
    path = written(tmp_path, random_weights(without_fc(model)).state_dict())
    encoder = read_foreign(path)
    assert encoder.backbone.blocks == [1, 2, 1, 1]
    assert same_features(encoder, model)


def test_what_does_not_fit_is_listed_and_refused(tmp_path: Path):
    changed = {k: v for k, v in R.items() if k != "layer4.1.bn2.bias"}
    changed |= {"bn1.weight": torch.zeros(3), "layer9.weight": HEAD}
    with pytest.raises(UserError) as error:
        read_foreign(written(tmp_path, changed))
    lines = str(error.value).splitlines()
    assert lines[1:] == [
        "  missing: layer4.1.bn2.bias",
        "  not of it: layer9.weight",
        "  of another shape: bn1.weight (3,), not (64,)",
    ]


def test_counters_that_old_files_lack_are_not_missed(tmp_path: Path):
    old = {name: t for name, t in R.items() if not name.endswith("num_batches_tracked")}
    encoder = read_foreign(written(tmp_path, old))
    assert encoder.said.endswith("100 of 120 tensors")
    assert same_features(encoder, RESNET)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "holds a list"),
        ({"epoch": 3, "notes": {"a": "b"}}, "no encoder of a known layout"),
        ({"a.weight": HEAD, "b.weight": HEAD}, "are of no ResNet and no ViT"),
        ({"visual.class_embedding": HEAD, "visual.proj": HEAD}, "are of no ResNet and no ViT"),
        ({"state_dict": under("module.encoder_q.", {n: t.reshape(-1) for n, t in R.items()})},
         "not fit|shapes of no encoder"),
        ({"model": {n: t.reshape(-1) for n, t in V.items()}}, "shapes of no encoder"),
        ({**V, "pos_embed": torch.zeros(2)}, "shapes of no encoder"),
        ({"encoder": under("module.backbone.", {**V, "patch_embed.proj.weight": torch.zeros(
            192, 3, 2, 16, 16)})}, "encoder of videos"),
    ],
)  # fmt: skip
def test_files_without_an_image_encoder_are_refused(content: Any, says: str, tmp_path: Path):
    with pytest.raises(UserError, match=says):
        read_foreign(written(tmp_path, content))


class Hostile:
    """Unpickling this would create a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("zip_file", [True, False])
def test_a_hostile_file_never_runs(zip_file: bool, tmp_path: Path):
    mark, path = tmp_path / "ran", tmp_path / "file.pth"
    torch.save({"state_dict": R, "x": Hostile(mark)}, path, _use_new_zipfile_serialization=zip_file)
    with pytest.raises(UserError, match=r"would call .*(Path|getattr)"):
        read_foreign(path)
    assert not mark.exists()


class HistoryBuffer:
    """Stands for a class of the source's."""


def test_a_file_that_needs_more_names_the_class_and_a_recipe_that_works(tmp_path: Path):
    content = {"state_dict": under("module.encoder_q."), "hub": HistoryBuffer(), "epoch": 7}
    path = written(tmp_path, content, "epoch_7.pth")
    with pytest.raises(UserError, match=r"would call .*HistoryBuffer") as error:
        read_foreign(path)
    load, save = (line.strip() for line in str(error.value).splitlines()[-2:])
    saved = tmp_path / "epoch_7-weights.pt"
    exec(load.replace("'epoch_7.pth'", repr(str(path))), scope := {"torch": torch})
    exec(save.replace("'epoch_7-weights.pt'", repr(str(saved))), scope)
    encoder = read_foreign(saved)
    assert encoder.said.startswith("MoCo v1/v2 file") and encoder.epoch == 7


def test_safetensors_with_a_name_beside_them_as_on_a_hub(tmp_path: Path):
    """timm's model.safetensors and config.json: any architecture, by name, with its classifier."""
    oracle = random_weights(timm.create_model("convnext_atto", num_classes=3))
    save_file(oracle.state_dict(), tmp_path / "model.safetensors")
    cfg = {"input_size": [3, 288, 288], "crop_pct": 0.9, "mean": [0.5] * 3, "std": [0.2] * 3,
           "interpolation": "bilinear"}  # fmt: skip
    hub = {"architecture": "convnext_atto", "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(hub))
    encoder = read_foreign(tmp_path / "model.safetensors")
    oracle.reset_classifier(0)
    assert same_features(encoder, oracle)
    assert encoder.said.startswith("timm file, flat, timm:convnext_atto, ")
    known = encoder.preprocessing
    assert (known.mean, known.resize, known.crop) == ((0.5,) * 3, 320, 288)
    assert known.interpolation == "bilinear"


def test_a_training_file_of_timm_says_its_architecture(tmp_path: Path):
    oracle = random_weights(timm.create_model("resnet18", num_classes=3))
    state = oracle.state_dict()
    content = {"epoch": 3, "arch": "resnet18", "version": 2, "state_dict": under("module.", state)}
    encoder = read_foreign(written(tmp_path, {**content, "args": NAMESPACE}))
    oracle.reset_classifier(0)
    assert same_features(encoder, oracle)
    assert encoder.preprocessing.interpolation == "bicubic"  # timm's default for this network


def test_a_processor_beside_the_weights_says_how_images_are_prepared(tmp_path: Path):
    save_file(hugging_face(), tmp_path / "model.safetensors")
    processor = {"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "resample": 2}
    processor |= {"size": {"shortest_edge": 300}, "crop_size": {"height": 280, "width": 280}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    known = read_foreign(tmp_path / "model.safetensors").preprocessing
    assert (known.mean, known.resize, known.crop) == ((0.1,) * 3, 300, 280)
    assert known.interpolation == "bilinear"


def test_our_own_checkpoints_and_encoder_files_are_read(tmp_path: Path):
    spec = pretrain_spec(backbone={"arch": "resnet18"})
    content = {"model": {**under("backbone."), **heads("projector.0.weight")}, "epoch": 2}
    path = written(tmp_path, {**content, "recipe": spec.to_spec_json()})
    encoder = read_foreign(path)
    assert encoder.said == "this project's file, backbone.*, ResNet-18, 120 of 120 tensors"
    assert encoder.preprocessing.known() == {
        "mean": tuple(spec.mean), "std": tuple(spec.std), "crop": spec.crop,
    }  # fmt: skip
    export_encoder(path, tmp_path / "encoder.safetensors", 2)
    exported = read_foreign(tmp_path / "encoder.safetensors")
    assert same_features(encoder, RESNET) and same_features(exported, RESNET)
    assert exported.epoch == 2


@pytest.mark.parametrize("name", ["missing.pth", "folder", "text.safetensors", "text.ckpt"])
def test_what_is_no_checkpoint_gets_one_message(name: str, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    for text in ("text.safetensors", "text.ckpt"):
        (tmp_path / text).write_text("no tensors")
    with pytest.raises(UserError, match=name):
        read_foreign(tmp_path / name)


def shapes_of(name: str, **options: Any) -> tuple[nn.Module, Tensors]:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0, **options)
    return model, {n: torch.zeros(()).expand(t.shape) for n, t in model.state_dict().items()}


IMAGES_ONLY = {"class_token": False, "global_pool": "avg", "fc_norm": False}  # I-JEPA's


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((f"vit_{size}_patch{p}_224", {}) for size in ("small", "base") for p in (8, 16)),
        *(("vit_large_patch16_224", {}), ("vit_huge_patch14_224", {})),
        *(("vit_huge_patch14_224", IMAGES_ONLY), ("vit_giant_patch16_gap_224", {})),
        *((f"vit_{size}_patch14_dinov2", {}) for size in ("small", "base", "large", "giant")),
        *((f"vit_{size}_patch14_reg4_dinov2", {}) for size in ("small", "giant")),
        *((f"vit_{size}_patch16_dinov3", {}) for size in ("small_plus", "base", "huge_plus")),
        ("vit_large_patch16_dinov3_qkvb", {}),
        *((f"convnext_{size}", {}) for size in ("tiny", "small", "base", "large")),
    ],
)
def test_published_sizes_are_known_by_their_shapes(name: str, options: dict[str, Any]):
    oracle, tensors = shapes_of(name, **options)
    keys = architecture(tensors, Layout("any of them"), {})
    with torch.device("meta"):
        built, _ = build_backbone(backbone_of(keys))
    assert {n: t.shape for n, t in built.state_dict().items()} == {
        n: t.shape for n, t in tensors.items()
    }
    if hasattr(oracle, "blocks"):
        assert built.blocks[0].attn.num_heads == oracle.blocks[0].attn.num_heads
        assert keys["pooling"] == ("token" if "cls_token" in tensors else "patch_mean")


def test_dinov3s_convnext_is_read(tmp_path: Path):
    oracle = random_weights(timm.create_model("convnext_tiny", num_classes=0))
    tensors = spelled(
        oracle.state_dict(),
        ("stem.", "downsample_layers.0."),
        *((f"stages.{i}.downsample.", f"downsample_layers.{i}.") for i in (1, 2, 3)),
        *((".blocks.", "."), ("conv_dw", "dwconv"), ("mlp.fc", "pwconv"), ("head.norm", "norm")),
    )
    content = {**tensors, "norms.3.weight": tensors["norm.weight"], "norms.3.bias": HEAD}
    encoder = read_foreign(written(tmp_path, content))
    assert encoder.said == "DINOv3 hub file, flat, timm:convnext_tiny, 180 of 180 tensors"
    assert same_features(encoder, oracle)
