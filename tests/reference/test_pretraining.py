"""Data schedules and SimSiam's training: the authors' `main_simsiam.py` and ours, side by side."""

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from authors_code import Reference
from pydantic import ValidationError
from torch import Tensor, nn
from torch.utils.data import Dataset

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_backbone, build_method
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.training.optimizer import build_optimizer, set_rates
from ssl_collapse.views import schedule

IMAGES, BATCH, STEPS, EPOCHS, SEED = 12, 4, 3, 3, 10
HEADS = {"projection_dim": 16, "predictor_hidden_dim": 8}
KINDS = {"simsiam": "SimSiam", "nnsiam": "NNSiam"}  # name here -> class there
# A rate of 0.1 (6.4 * 4 / 256), so that nine steps go far.
COMMAND = (
    f". -a resnet18 --dim 16 --pred-dim 8 -b {BATCH} --epochs {EPOCHS} --lr 6.4 --seed {SEED} "
    "--gpu 0 --workers 0"
).split()


def recipe(**keys: object) -> Recipe:
    base = {"epochs": EPOCHS, "batch_size": BATCH, "base_lr": 6.4, "backbone": {"arch": "resnet18"}}
    return Recipe.model_validate({**base, "method": {"name": "simsiam", **HEADS}, **keys})


GRID = list(product((50, 97), (4, 7), (5, 6, 7), (1, 2), (1, 2, 3), (1, 3), (None, 5)))


@pytest.mark.parametrize("strategy", ["current", "accumulate", "last"])
def test_every_schedule_shows_the_same_images_in_the_same_order(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, strategy: str
):
    """With the authors' generator of random numbers in ours, batch by batch."""
    main = reference.module("main_simsiam.py")
    # ours draws by [seed, stream, epoch, ...]; the authors' by epoch + seed
    draws = np.random.RandomState
    monkeypatch.setattr(np.random, "default_rng", lambda key: draws(key[2] + key[0]))
    compared = 0
    for n, batch, epochs, rounds, chunk, repeat, steps in GRID:
        keys = {"schedule": strategy, "epochs": epochs, "batch_size": batch, "n_rounds": rounds}
        keys |= {"chunk_size": chunk, "repeat_batch": repeat, "steps_per_epoch": steps}
        try:
            ours = recipe(**keys)
            schedule.check_subsets(ours, n)  # on a subset below one batch the authors' loop hangs
        except (ValueError, UserError):
            continue
        ordering = np.random.RandomState(n).permutation(n)
        np.save("ordering.npy", ordering)
        args = main.parser.parse_args(
            f". -b {batch} --epochs {epochs} --n_rounds {rounds} --chunk_size {chunk} --seed 3 "
            f"--repeat_batch {repeat} --strategy {strategy} --incremental_idx_path ordering.npy "
            f"--workers 0 {f'--steps_per_epoch {steps}' if steps else ''}".split()
        )
        args.distributed = False
        for epoch in range(epochs):
            loader, _ = main.get_incremental_dataloader(0, range(n), epoch, batch, args)
            shown = schedule.epoch_batches(ours, ordering, epoch, 3)
            assert len(loader) == schedule.steps_per_epoch(ours, n) == len(shown)
            np.testing.assert_array_equal(shown.ravel(), loader.dataset.indices, str(keys))
            compared += 1
    assert compared > 1000


class Views(Dataset[Any]):
    """Two fixed views of every image, and a note of which were shown, in order."""

    def __init__(self) -> None:
        self.views = torch.randn(2, IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        self.shown: list[int] = []

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, i: int) -> tuple[list[Tensor], int]:
        self.shown.append(int(i))
        return [self.views[0, i], self.views[1, i]], 0

    def batches(self) -> np.ndarray:
        """Image numbers (epochs, STEPS, BATCH) since the last call."""
        taken, self.shown = self.shown, []
        return np.array(taken).reshape(-1, STEPS, BATCH)


def at_the_start(reference: Reference, kind: str) -> nn.Module:
    """The authors' network as `main_simsiam.py --seed 10` begins with it."""
    builder = reference.module("autolearn/simsiam/builder.py")
    resnet18 = reference.module("main_simsiam.py").models.resnet18
    torch.manual_seed(SEED)
    network: nn.Module = getattr(builder, kind)(partial(resnet18, zero_init_residual=True), 16, 8)
    return network


def renamed(name: str) -> str:
    """The name here of a weight there."""
    if name == "queue_ptr":
        return "oldest"
    if name.startswith("encoder.fc."):
        return name.replace("encoder.fc.", "projector.", 1)
    return name.replace("encoder.", "backbone.", 1) if name.startswith("encoder.") else name


class Ours:
    """Our training, from the authors' weights and on the batches that theirs drew."""

    def __init__(self, reference: Reference, **keys: object) -> None:
        self.recipe = recipe(**keys)
        start = at_the_start(reference, KINDS[self.recipe.method.name])
        self.names = [renamed(name) for name, _ in start.named_parameters()]
        self.model: Any = build_method(*build_backbone(self.recipe.backbone), self.recipe.method)
        own = self.model.state_dict()
        weights = {renamed(name): tensor for name, tensor in start.state_dict().items()}
        self.model.load_state_dict({n: t.reshape(own[n].shape) for n, t in weights.items()})
        self.optimizer = build_optimizer(self.model, self.recipe)

    def epoch(self, epoch: int, views: Tensor, batches: np.ndarray) -> float:
        """Train one epoch; its mean loss."""
        losses = []
        for step, rows in enumerate(batches):
            set_rates(self.optimizer, self.recipe, epoch, step, len(batches))
            self.optimizer.zero_grad()
            loss = self.model(*views[:, rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return float(np.mean(losses))

    def assert_equal(self, checkpoint: Path) -> None:
        """Weights, buffers, and what the optimiser has gathered of the gradients."""
        theirs = torch.load(checkpoint, weights_only=True)
        for name, tensor in theirs["state_dict"].items():
            own = self.model.state_dict()[renamed(name)]
            close(own, tensor.reshape(own.shape), name)
        gathered = {self.names[i]: state for i, state in theirs["optimizer"]["state"].items()}
        named = dict(self.model.named_parameters())
        assert gathered.keys() == {n for n, p in named.items() if p.requires_grad}
        for name, state in gathered.items():
            for key, tensor in state.items():
                close(self.optimizer.state[named[name]][key], tensor, f"{key} of {name}")


def close(ours: Tensor, theirs: Tensor, name: str) -> None:
    scale = theirs.abs().max().item() if theirs.numel() else 0.0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * scale + 1e-15, err_msg=name)


ORDERED = "--incremental_idx_path ordering.npy"
RUNS = [
    ("--fix-pred-lr", {"fix_pred_lr": True}),
    ("", {}),
    ("--wd 0.01 --momentum 0.5", {"weight_decay": 0.01, "momentum": 0.5}),
    (
        "--fix-pred-lr --warmup_epochs 1 --final_lr 0.64",
        {"fix_pred_lr": True, "warmup_epochs": 1, "final_lr": 0.64},
    ),
    ("--fix-pred-lr --n_warmup_steps 2", {"fix_pred_lr": True, "n_warmup_steps": 2}),
    ("--optimizer adamw --lr 0.064", {"optimizer": "adamw", "base_lr": 0.064}),
    ("--fix-pred-lr --nnsiam", {"fix_pred_lr": True, "method": {"name": "nnsiam", **HEADS}}),
    (f"{ORDERED} --strategy current --repeat_batch 2", {"schedule": "current", "repeat_batch": 2}),
]


@pytest.mark.parametrize(("command", "keys"), RUNS, ids=[run[0] for run in RUNS])
def test_three_epochs_of_three_steps(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, in_float64: None,
    command: str, keys: dict[str, object],
):  # fmt: skip
    try:
        recipe(**keys)
    except ValidationError:
        pytest.skip(f"this version has no {keys['method']}")
    data, main = Views(), reference.module("main_simsiam.py")
    monkeypatch.setattr(main, "imagenet_train", lambda args, n_augs: data)
    np.save("ordering.npy", np.arange(IMAGES)[::-1])
    reference.run("main_simsiam.py", *COMMAND, *command.split())
    ours, batches = Ours(reference, **keys), data.batches()
    assert len(batches) == EPOCHS
    for epoch in range(EPOCHS):
        loss = ours.epoch(epoch, data.views, batches[epoch])
        assert loss == pytest.approx(reference.logged[epoch]["loss"], abs=1e-9)
        if epoch in (0, EPOCHS - 1):  # each after three steps
            ours.assert_equal(reference.output / f"checkpoint_{epoch:04d}.pth.tar")
    if ours.recipe.schedule == "iid":
        assert all(sorted(shown.ravel()) == list(range(IMAGES)) for shown in batches)


def test_a_hybrid_goes_on_from_a_single_pass(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, in_float64: None
):
    data, main = Views(), reference.module("main_simsiam.py")
    monkeypatch.setattr(main, "imagenet_train", lambda args, n_augs: data)
    np.save("ordering.npy", np.arange(IMAGES))
    command = [*COMMAND, "--fix-pred-lr"]
    reference.run("main_simsiam.py", *command, *ORDERED.split(), "--strategy", "current")
    single_pass = data.batches()
    reference.run("main_simsiam.py", *command, "--resume", "checkpoint_0000.pth.tar")
    batches = np.concatenate([single_pass[:1], data.batches()])
    ours = Ours(reference, fix_pred_lr=True)
    for epoch in range(EPOCHS):
        ours.epoch(epoch, data.views, batches[epoch])
    ours.assert_equal(reference.output / "checkpoint_0002.pth.tar")
