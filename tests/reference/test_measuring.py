"""Representations, k-NN, spectrum and both probes: the authors' programs and ours, side by side."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from authors_code import Reference
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.models.resnet import ResNet, resnet18
from toy import pack

from ssl_collapse.config.backbones.torchvision_resnet import Config as Backbone
from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec, ProbeSpec, RepresentSpec
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.evaluation.knn import classify
from ssl_collapse.evaluation.probe import Probe
from ssl_collapse.evaluation.proposals import CpuBackend
from ssl_collapse.evaluation.spectrum import explained
from ssl_collapse.models.build import build_backbone
from ssl_collapse.representations import extraction
from ssl_collapse.representations.file import open_representations

CPU = torch.device("cpu")
VARIANTS = {
    "resnet18_bottleneck_w64": {"arch": "resnet18", "block": "bottleneck"},
    "resnet18_bottleneck_w96": {
        "arch": "resnet18", "block": "bottleneck", "width_per_group": 96
    },
    "resnet18_bottleneck_w128": {
        "arch": "resnet18", "block": "bottleneck", "width_per_group": 128
    },
    "resnet50_nobottleneck": {"arch": "resnet50", "block": "basic", "blocks": [5, 6, 9, 4]},
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_the_papers_variants_of_resnet_have_the_same_weights_and_features(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, name: str
):
    variants = reference.module("resnet_variants.py")
    # torchvision's builder takes other arguments than it did then
    monkeypatch.setattr(
        variants, "_resnet", lambda _, block, blocks, *__, **keys: ResNet(block, blocks, **keys)
    )
    theirs = getattr(variants, name)(zero_init_residual=True)
    theirs.fc = nn.Identity()
    ours, _ = build_backbone(Backbone.model_validate(VARIANTS[name]))
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(ours(images), theirs(images))


@pytest.fixture
def checkpoint(reference: Reference) -> Path:
    """A checkpoint of SimSiam as the authors save it, its statistics moved by one batch."""
    builder = reference.module("autolearn/simsiam/builder.py")
    torch.manual_seed(0)
    network = builder.SimSiam(resnet18, 16, 8)
    network(torch.randn(8, 3, 64, 64))
    path = reference.output / "checkpoint_0099.pth.tar"
    torch.save({"epoch": 100, "arch": "resnet18", "state_dict": network.state_dict()}, path)
    return path


def backbone_of(checkpoint: Path) -> nn.Module:
    backbone, _ = build_backbone(Backbone(arch="resnet18"))
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    own = {n.removeprefix("encoder."): t for n, t in weights.items() if n.startswith("encoder.")}
    backbone.load_state_dict({n: t for n, t in own.items() if not n.startswith("fc.")})
    return backbone.eval()


KINDS = {  # name -> mode, width, height
    "a/landscape.png": ("RGB", 400, 300),
    "a/small.png": ("RGB", 90, 140),
    "a/alpha.png": ("RGBA", 260, 256),
    "b/grey.png": ("L", 300, 300),
    "b/palette.png": ("P", 280, 310),
    "b/tall.jpg": ("RGB", 300, 517),
    "b/cmyk.jpg": ("CMYK", 333, 257),
}


def write_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name, (mode, width, height) in KINDS.items():
            noise = Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8))
            file = folder / split / name
            file.parent.mkdir(parents=True, exist_ok=True)
            noise.resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(file)


@pytest.mark.parametrize("side", [None, 256])
def test_representations_are_equal_bit_for_bit(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, checkpoint: Path, side: int | None
):
    folder = reference.output / "images"
    write_images(folder)
    command = f"-a resnet18 --dataset_type imagenet_val --exp_id 1 --batch-size {len(KINDS)}"
    places = ("--data", folder, "--pretrained", checkpoint, "--workers", 0)
    reference.run("save_reprs_clean.py", *command.split(), *places)
    theirs = torch.load("data/resnet18_exp0001/imagenet/val_reprs_e0.pt", weights_only=True)

    images = pack(folder, side, "val")
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    spec = RepresentSpec(resize=256, crop=224, mean=mean, std=std)
    monkeypatch.setattr(extraction, "CPU_BATCH", len(KINDS))  # its size changes the last bits
    (ours,) = extraction.represent(backbone_of(checkpoint), images, spec, CPU, len(KINDS))
    np.testing.assert_array_equal(ours, theirs["representations"])
    np.testing.assert_array_equal(images.targets, theirs["targets"])


def write_representations(path: Path, n: int, seed: int) -> None:
    """Clusters of ten classes in 16 dimensions, targets as `save_reprs_clean.py` writes them."""
    centres = np.random.default_rng(9).standard_normal((10, 16))
    rng = np.random.default_rng(seed)
    targets = rng.integers(10, size=n)
    rows = 0.5 + centres[targets] + 1.5 * rng.standard_normal((n, 16))
    representations = torch.tensor(rows, dtype=torch.get_default_dtype())
    torch.save({"representations": representations, "targets": torch.tensor(targets).float()}, path)


@pytest.mark.parametrize("metric", ["cos", "l2"])
@pytest.mark.parametrize("val", ["val", "train"])
def test_neighbours_and_accuracy_for_every_k(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, in_float64: None, metric: str, val: str
):
    """Up to the 128 neighbours that the authors keep; of the same file, one of them is the row.

    In float32, theirs swaps two that are nearly as far: some 10 of 200,000 here.
    """
    write_representations(Path("train_reprs_e0.pt"), 500, seed=1)
    write_representations(Path("val_reprs_e0.pt"), 300, seed=2)
    monkeypatch.setattr(reference.module("compute_nn.py"), "device", "cpu")
    files = [f"{split}_reprs_e0.pt" for split in ("train", val)]
    command = ("--folder", ".", "--source", files[0], "--target", files[1], "--metric", metric)
    reference.run("compute_nn.py", *command)
    stem = f"{metric}_train_{val}"
    stored = torch.load(f"knn_stats_{stem}.pt", weights_only=True)
    own = int(val == "train")
    k_max = 128 - own

    kind, found = {"cos": "cosine", "l2": "l2"}[metric], []
    spec = KnnSpec.model_validate({"k_max": k_max, "metrics": (kind,), "votes": ("majority",)})
    train, other = (open_representations(Path(file)) for file in files)
    knn = classify(train, other, spec, CpuBackend(), lambda _, piece: found.append(piece))
    ((_, accuracy),) = knn.accuracy.items()
    np.testing.assert_allclose(
        accuracy, torch.load(f"knn_accs_{stem}.pt", weights_only=True)[:k_max], atol=1e-6
    )
    index, squared = (np.concatenate([getattr(p, n) for p in found]) for n in ("index", "squared"))
    np.testing.assert_array_equal(index, stored["indices"][:, own:])
    distance = squared / 2 if metric == "cos" else np.sqrt(squared)
    np.testing.assert_allclose(distance, stored["distances"][:, own:], atol=1e-12)
    best = json.loads(Path(f"knn_summary_{stem}.json").read_text())
    oracle = knn.content["results"][kind]["majority"]["oracle"]
    assert (oracle["k"], oracle["accuracy"]) == (best["best_k"], pytest.approx(best["acc"]))


@pytest.mark.parametrize("normalize", [False, True])
def test_spectrum_auc_and_std(reference: Reference, normalize: bool):
    write_representations(Path("train_reprs_e0.pt"), 500, seed=1)
    theirs, flag = {}, ["--normalize"] * normalize
    for kind in ("svd", "std"):
        reference.run("test_collapse.py", "train_reprs_e0.pt", "--type", kind, *flag)
        file = f"train_reprs_e0_{'normalized_' * normalize}{kind}.pt"
        theirs[kind] = torch.load(file, weights_only=True)["stds"].double().numpy()

    spec = CollapseSpec(std_vector=True, bootstrap_resamples=0)
    ours = measure_collapse(open_representations(Path("train_reprs_e0.pt")), spec)
    l2 = "_l2" * normalize
    if not normalize:
        np.testing.assert_allclose(ours.sigma, theirs["svd"], rtol=1e-5)
    # eq. 2 of the paper
    assert ours.content[f"auc{l2}"] == pytest.approx(explained(theirs["svd"]).mean(), rel=1e-6)
    # torch.std divides by N - 1, ours by N
    std = np.array(ours.content[f"std_vector{l2}"]) * np.sqrt(500 / 499)
    np.testing.assert_allclose(std, theirs["std"], rtol=1e-5)


class Labelled(Dataset[Any]):
    """Images (N, 3, 32, 32) of eight classes, and a note of which were shown, in order."""

    def __init__(self, n: int, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        self.targets = torch.randint(8, (n,), generator=random)
        tint = self.targets[:, None, None, None] / 4 - 1
        self.images = tint + torch.randn(n, 3, 32, 32, generator=random)
        self.shown: list[int] = []

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        self.shown.append(i)
        return self.images[i], self.targets[i]


class Shown:
    """For our probe: features of what the authors' probe saw, in its order."""

    def __init__(self, backbone: nn.Module, train: Labelled, val: Labelled, batch: int) -> None:
        with torch.no_grad():
            self._train, self._val = backbone(train.images), (backbone(val.images), val.targets)
        self._targets = train.targets
        self._order = torch.tensor(train.shown).reshape(-1, len(train))
        self._batch, self.dim, self.num_classes = batch, 512, 1000
        self.n_train, self.n_val = len(train), len(val)

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in self._order[epoch].split(self._batch)[first_step:]:
            yield self._train[rows], self._targets[rows]

    def validation(self) -> tuple[Tensor, Tensor]:
        return self._val


PROBES = [
    ("--lr 8", {"base_lr": 8.0}),
    ("--lr 8 --wd 0.01 --momentum 0.5", {"base_lr": 8.0, "weight_decay": 0.01, "momentum": 0.5}),
    ("--lars --lr 800", {"optimizer": "lars", "base_lr": 800.0}),
    ("--lars --lr 800 --wd 1", {"optimizer": "lars", "base_lr": 800.0, "weight_decay": 1.0}),
]


@pytest.mark.parametrize(("command", "keys"), PROBES, ids=[probe[0] for probe in PROBES])
def test_three_epochs_of_a_linear_probe(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, in_float64: None, checkpoint: Path,
    command: str, keys: dict[str, object],
):  # fmt: skip
    """50 images in batches of 16: four steps per epoch, the last of two images."""
    train, val = Labelled(50, seed=1), Labelled(40, seed=2)
    main = reference.module("main_lincls.py")
    monkeypatch.setattr(main, "imagenet_lincls_train", lambda args: train)
    monkeypatch.setattr(main, "imagenet_val", lambda args: val)
    settings = "-a resnet18 --epochs 3 -b 16 --seed 5 --gpu 0 --workers 0 --pretrained"
    reference.run("main_lincls.py", ".", *settings.split(), checkpoint, *command.split())

    source = Shown(backbone_of(checkpoint), train, val, 16)
    spec = ProbeSpec.model_validate({"epochs": 3, "batch_size": 16, "train_accuracy": True, **keys})
    ours = Probe(source, spec, CPU)
    torch.manual_seed(5)  # as the authors' probe draws its first weights
    ours.classifier.weight.data = main.models.resnet18().fc.weight.data.normal_(std=0.01)
    for row, logged in zip(ours.run(), reference.logged, strict=True):
        assert row["loss"] == pytest.approx(logged["loss"], rel=1e-9)
        for name in ("train_top1", "train_top5", "top1", "top5"):
            theirs = logged[name.replace("top", "acc") if "train" in name else f"val_acc{name[3]}"]
            assert 100 * row[name] == pytest.approx(theirs.item(), abs=1e-4), name
    theirs = torch.load(reference.output / "checkpoint.pth.tar", weights_only=True)["state_dict"]
    for name, tensor in ours.classifier.state_dict().items():
        np.testing.assert_allclose(tensor, theirs[f"fc.{name}"], rtol=0, atol=1e-9)
    assert theirs["fc.bias"].abs().max() > 0.01  # it has moved
