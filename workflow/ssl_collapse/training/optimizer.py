"""The optimiser and its parameter groups: encoder and predictor, and for LARS their 1-D ones."""

from typing import Any

import torch

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.method import MethodModule
from ssl_collapse.models.momentum import half_cosine
from ssl_collapse.training.lars import Lars
from ssl_collapse.training.learning_rate import epoch_lr, initial_lr, predictor_lr


def build_optimizer(model: MethodModule, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with momentum, AdamW or LARS.

    Group 0 is the encoder, group 1 the predictor. For LARS, these hold the parameters of two or
    more axes, and groups 2 and 3 those of one axis (biases, norms), which may have another rate.
    """
    encoder = [p for p in model.encoder_parameters() if p.requires_grad]
    predictor = model.predictor_parameters()
    lr, decay = initial_lr(recipe), recipe.weight_decay
    groups: list[dict[str, Any]] = [{"params": encoder}, {"params": predictor}]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr, weight_decay=decay)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=recipe.momentum, weight_decay=decay)
    flat = [{"params": [p for p in group["params"] if p.ndim < 2]} for group in groups]
    for group in groups:
        group["params"] = [p for p in group["params"] if p.ndim >= 2]
    return Lars([*groups, *flat], lr=lr, momentum=recipe.momentum, weight_decay=decay)


def set_rates(
    optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int, step: int, steps: int
) -> None:
    """Set all groups' learning rates and weight decays for one step.

    In the first `n_warmup_steps` steps of every epoch but the first, the encoder's rate is 0: it
    stays as it is while its momentum (in SGD and LARS with the weight decay, in AdamW without)
    goes on gathering. The reference does so only with `fix_pred_lr`, and ignores `n_warmup_steps`
    otherwise.

    Args:
        epoch, step: both from 0, the step within the epoch.
        steps: of every epoch.
    """
    part = step / steps
    frozen = epoch > 0 and step < recipe.n_warmup_steps
    rates = [
        0.0 if frozen else epoch_lr(recipe, epoch, part),
        predictor_lr(recipe, epoch, part),
    ]
    if recipe.optimizer == "lars_excluding_1d":
        scale = (recipe.base_lr_1d or recipe.base_lr) / recipe.base_lr
        rates += [rate * scale for rate in rates]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        if recipe.final_weight_decay is not None:
            done = (epoch + part) / recipe.epochs
            group["weight_decay"] = half_cosine(
                recipe.weight_decay, recipe.final_weight_decay, done
            )
