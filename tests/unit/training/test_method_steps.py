"""Steps of every method against a transcription of its formulas to plain tensors.

Batches of four images of 3 x 2 x 2, in float64; the backbone is one linear layer. Two epochs of two
steps.
"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy import pretrain_spec

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_method
from ssl_collapse.models.methods.distillation import DistillationModel
from ssl_collapse.models.methods.lejepa import random_directions
from ssl_collapse.training.optimizer import build_optimizer, set_rates

EPOCHS = STEPS = 2
HEADS = {"hidden_dim": 6, "projection_dim": 5}
SIMSIAM = {"projection_dim": 8, "predictor_hidden_dim": 4}
# Rates that move weights: LARS takes a thousandth of them.
LARS = {"base_lr": 6400.0, "warmup_epochs": 1, "weight_decay": 0.1}
Weights = dict[str, Tensor]


def norm(x: Tensor) -> Tensor:
    """Batch norm without scale and shift."""
    return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()


def hidden(w: Weights, part: str, layer: int, x: Tensor) -> Tensor:
    """Linear layer without bias, batch norm with scale and shift, ReLU."""
    h = norm(x @ w[f"{part}.{layer}.weight"].T)
    return (h * w[f"{part}.{layer + 1}.weight"] + w[f"{part}.{layer + 1}.bias"]).relu()


def features(w: Weights, x: Tensor) -> Tensor:
    return x.flatten(1) @ w["backbone.1.weight"].T


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).mean()


def simsiam_z(w: Weights, x: Tensor) -> Tensor:
    h = hidden(w, "projector", 3, hidden(w, "projector", 0, features(w, x)))
    return norm(h @ w["projector.6.weight"].T + w["projector.6.bias"])


def simsiam_p(w: Weights, z: Tensor) -> Tensor:
    h = hidden(w, "predictor", 0, z)
    return h @ w["predictor.3.weight"].T + w["predictor.3.bias"]


def simsiam(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    z1, z2 = simsiam_z(w, x1), simsiam_z(w, x2)
    p1, p2 = simsiam_p(w, z1), simsiam_p(w, z2)
    return -(cosine(p1, z2.detach()) + cosine(p2, z1.detach())) / 2


def nnsiam(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    z1, z2 = simsiam_z(w, x1), simsiam_z(w, x2)
    n1, n2 = (
        torch.stack([min(w["queue"], key=lambda q, row=row: (q - row).square().sum().item())
                     for row in z.detach()])
        for z in (z1, z2)
    )  # fmt: skip
    w["queue"] = torch.cat([w["queue"][4:], z1.detach()])  # here the oldest come first
    return -(cosine(simsiam_p(w, z1), n2) + cosine(simsiam_p(w, z2), n1)) / 2


def follow(w: Weights, name: str, step: int) -> None:
    tau = 1 - (1 - 0.9) * (1 + math.cos(math.pi * step / (EPOCHS * STEPS))) / 2
    for key in [key for key in w if key.startswith(f"{name}.")]:
        w[key] = tau * w[key] + (1 - tau) * w[key.removeprefix(f"{name}.")].detach()


def two_layers(w: Weights, part: str, x: Tensor) -> Tensor:
    return hidden(w, part, 0, x) @ w[f"{part}.3.weight"].T


def of(w: Weights, name: str) -> Weights:
    return {k.removeprefix(f"{name}."): v for k, v in w.items() if k.startswith(f"{name}.")}


def byol(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    follow(w, "target", step)
    p1, p2 = (
        two_layers(w, "predictor", two_layers(w, "projector", features(w, x))) for x in (x1, x2)
    )
    target = of(w, "target")
    t1, t2 = (two_layers(target, "projector", features(target, x)) for x in (x1, x2))
    return (2 - 2 * cosine(p1, t2)) + (2 - 2 * cosine(p2, t1))


def moco(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    follow(w, "keys", step)

    def project(weights: Weights, x: Tensor) -> Tensor:
        return norm(two_layers(weights, "projector", features(weights, x)))

    q1, q2 = (two_layers(w, "predictor", project(w, x)) for x in (x1, x2))
    k1, k2 = (project(of(w, "keys"), x) for x in (x1, x2))

    def contrast(q: Tensor, k: Tensor) -> Tensor:
        cosines = (q / q.norm(dim=1, keepdim=True)) @ (k / k.norm(dim=1, keepdim=True)).T
        return -2 * 0.5 * (cosines / 0.5).log_softmax(dim=1).diagonal().mean()

    return contrast(q1, k2) + contrast(q2, k1)


def three_layers(w: Weights, x: Tensor) -> Tensor:
    h = hidden(w, "projector", 3, hidden(w, "projector", 0, features(w, x)))
    return h @ w["projector.6.weight"].T + w.get("projector.6.bias", 0)


def vicreg(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    z1, z2 = three_layers(w, x1), three_layers(w, x2)
    loss = 25 * (z1 - z2).square().mean()
    for z in (z1, z2):
        covariance = z.T.cov()
        std = (covariance.diag() + 1e-4).sqrt()
        loss = loss + 25 / 2 * (1 - std).clamp(min=0).mean()
        loss = loss + (covariance.square().sum() - covariance.diag().square().sum()) / z.shape[1]
    return loss


def barlow(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    c = torch.einsum("bi,bj->ij", norm(three_layers(w, x1)), norm(three_layers(w, x2))) / len(x1)
    weights = torch.full_like(c, 0.0051).fill_diagonal_(1)
    return (weights * (c - torch.eye(len(c))).square()).sum()


def lejepa(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    z = torch.stack([three_layers(w, x1), three_layers(w, x2)])
    directions = random_directions(5, 3, [0, 3, 0, step]).double()
    t = torch.linspace(-3, 3, 33, dtype=torch.float64)
    statistics = []
    for values in (z @ directions).permute(0, 2, 1).reshape(6, 4):  # of each view and direction
        phi = torch.exp(1j * values[:, None] * t).mean(0)
        distance = (phi - torch.exp(-(t**2) / 2)).abs().square()
        statistics.append(4 * torch.trapezoid(distance * torch.exp(-(t**2) / 2), t))
    centre = z.mean(0)  # of both
    return 0.05 * torch.stack(statistics).mean() + 0.95 * (z - centre).square().mean()


def distillation(w: Weights, x1: Tensor, x2: Tensor, step: int) -> Tensor:
    features_of_teacher = [x.flatten(1) @ w["teacher"].T for x in (x1, x2)]
    targets = [(t - w["mean"]) / (1e-6 + w["std"]) for t in features_of_teacher]
    both = torch.cat(features_of_teacher)
    w["mean"] = 0.95 * w["mean"] + 0.05 * both.mean(0)
    w["std"] = 0.95 * w["std"] + 0.05 * both.var(0).sqrt()
    students = [features(w, x) @ w["projector.weight"].T + w["projector.bias"] for x in (x1, x2)]
    return sum((s - t).square().mean() for s, t in zip(students, targets, strict=True)) / 2


def sgd(p: Tensor, g: Tensor, state: list[Tensor], lr: float, decay: float, t: int) -> Tensor:
    state[0] = 0.9 * state[0] + g + decay * p
    return p - lr * state[0]


def adamw(p: Tensor, g: Tensor, state: list[Tensor], lr: float, decay: float, t: int) -> Tensor:
    state[0], state[1] = 0.9 * state[0] + 0.1 * g, 0.999 * state[1] + 0.001 * g * g
    first, second = state[0] / (1 - 0.9**t), state[1] / (1 - 0.999**t)
    return p - lr * decay * p - lr * first / (second.sqrt() + 1e-8)


def lars(p: Tensor, g: Tensor, state: list[Tensor], lr: float, decay: float, t: int) -> Tensor:
    if p.ndim > 1:
        g = g + decay * p
        g = 0.001 * p.norm() / g.norm() * g
    state[0] = 0.9 * state[0] + g
    return p - lr * state[0]


def lars_of_two_rates(p: Tensor, g: Tensor, state: list[Tensor], lr: float, *rest: Any) -> Tensor:
    return lars(p, g, state, lr * (0.01 if p.ndim == 1 else 1), *rest)


def by_epoch(step: int) -> float:
    return (1 + math.cos(math.pi * (step // STEPS) / EPOCHS)) / 2


def by_step(step: int) -> float:
    """A warm-up over the first of the two epochs, then a half cosine over the other."""
    time = step / STEPS
    return time if time < 1 else (1 + math.cos(math.pi * (time - 1))) / 2


TWO_RATES = {**LARS, "final_lr": 0.0, "base_lr_1d": 64.0}
TWO_VIEWS = {"augmentation": {"views": [{}, {}]}}
EMA = {**HEADS, "ema_momentum": 0.9}
CASES: dict[str, Any] = {
    "simsiam": ({"name": "simsiam", **SIMSIAM}, {"base_lr": 6.4}, simsiam, sgd, by_epoch),
    "nnsiam": (
        {"name": "nnsiam", **SIMSIAM, "queue_size": 12}, {"base_lr": 6.4}, nnsiam, sgd, by_epoch
    ),
    "byol": ({"name": "byol", **EMA}, LARS, byol, lars, by_step),
    "moco": (
        {"name": "moco_v3", **EMA, "temperature": 0.5},
        {"optimizer": "adamw", "base_lr": 6.4, "warmup_epochs": 1, "weight_decay": 0.1},
        moco, adamw, by_step,
    ),
    "vicreg": (
        {"name": "vicreg", "projection_dim": 5}, TWO_RATES, vicreg, lars_of_two_rates, by_step
    ),
    "barlow": (
        {"name": "barlow_twins", "projection_dim": 5}, TWO_RATES, barlow, lars_of_two_rates, by_step
    ),
    "lejepa": (
        {"name": "lejepa", **HEADS, "directions": 3},
        {"base_lr": 6.4, "final_lr": 0.0, "weight_decay": 0.1, **TWO_VIEWS}, lejepa, adamw, by_step,
    ),
    "distillation": (
        {"name": "distillation"}, {"base_lr": 6.4, **TWO_VIEWS}, distillation, sgd, by_epoch
    ),
}  # fmt: skip


def model_and_recipe(case: str) -> tuple[nn.Module, Recipe]:
    torch.manual_seed(0)
    method, keys, *_ = CASES[case]
    recipe = pretrain_spec(epochs=EPOCHS, method=method, **keys)
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(12, 7, bias=False))
    if case == "distillation":
        return DistillationModel(backbone, 7, recipe.method, teacher(), 5).double(), recipe
    return build_method(backbone, 7, recipe.method).double(), recipe


def teacher() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5, bias=False)).double().requires_grad_(False)


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_the_formulas(case: str):
    _, _, loss_of, update, rate = CASES[case]
    model, recipe = model_and_recipe(case)
    optimizer = build_optimizer(model, recipe)
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    start = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    w = {**start, "teacher": teacher()[1].weight}
    initial = recipe.base_lr * 4 / 256
    states = {name: [torch.zeros_like(w[name]), torch.zeros_like(w[name])] for name in names}
    for step in range(EPOCHS * STEPS):
        views = torch.randn(2, 4, 3, 2, 2, dtype=torch.float64)
        set_rates(optimizer, recipe, step // STEPS, step % STEPS, STEPS)
        model.before_step(step, EPOCHS * STEPS)
        optimizer.zero_grad()
        loss = model(*views)
        loss.backward()
        optimizer.step()

        for name in names:
            w[name] = w[name].requires_grad_()
        expected = loss_of(w, *views, step)
        gradients = torch.autograd.grad(expected, [w[name] for name in names])
        lr = initial * rate(step)
        for name, gradient in zip(names, gradients, strict=True):
            p = w[name].detach()
            w[name] = update(p, gradient, states[name], lr, recipe.weight_decay, step + 1)
        assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
        for name, tensor in model.named_parameters():
            torch.testing.assert_close(tensor.detach(), w[name].detach(), rtol=1e-5, atol=1e-5)
    moved = [(w[name] - start[name]).abs().max().item() for name in names]
    assert min(moved) > 1e-3
    followers = [n for n, _ in model.named_parameters() if n.startswith(("target.", "keys."))]
    assert all(not torch.equal(w[name], start[name]) for name in followers)


@pytest.mark.parametrize("case", CASES)
def test_which_parameters_get_gradients(case: str):
    model, _ = model_and_recipe(case)
    model(*torch.randn(2, 4, 3, 2, 2, dtype=torch.float64)).backward()
    followers = ("target.", "keys.")
    for name, parameter in model.named_parameters():
        # the bias that SimSiam's last batch norm would cancel is frozen
        frozen = "siam" in case and name == "projector.6.bias"
        trained = not name.startswith(followers) and not frozen
        assert (parameter.grad is not None) == trained, name
    grouped = [*model.encoder_parameters(), *model.predictor_parameters()]
    trained = {id(p) for p in model.parameters() if p.grad is not None}
    assert {id(p) for p in grouped if p.requires_grad} == trained
    assert len({id(p) for p in grouped}) == len(grouped)
