"""The optimiser, with the predictor in a parameter group of its own."""

import torch

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import SiameseModel
from ssl_collapse.training.learning_rate import epoch_lr, initial_lr, predictor_lr


def build_optimizer(model: SiameseModel, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW; group 0 is the encoder, group 1 the predictor."""
    groups = [
        {"params": [p for p in model.encoder_parameters() if p.requires_grad]},
        {"params": model.predictor_parameters()},
    ]
    lr = initial_lr(recipe)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(
        groups, lr=lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int, step: int) -> None:
    """Set both groups' learning rates for one step; epoch and step count from 0.

    In the first `n_warmup_steps` steps of every epoch but the first, the encoder's is 0: it stays
    as it is while its momentum (in SGD with the weight decay, in AdamW without) goes on gathering.
    The reference does so only with `fix_pred_lr`, and ignores `n_warmup_steps` otherwise.
    """
    frozen = epoch > 0 and step < recipe.n_warmup_steps
    encoder, predictor = optimizer.param_groups
    encoder["lr"] = 0.0 if frozen else epoch_lr(recipe, epoch)
    predictor["lr"] = predictor_lr(recipe, epoch)
