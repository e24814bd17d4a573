"""The optimiser, with the predictor in a parameter group of its own."""

import torch

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import SiameseModel
from ssl_collapse.training.learning_rate import epoch_lr, initial_lr


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


def set_epoch_lr(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> float:
    """Set the learning rate of `epoch` on both groups and return the encoder's."""
    lr = epoch_lr(recipe, epoch)
    encoder, predictor = optimizer.param_groups
    encoder["lr"] = lr
    predictor["lr"] = initial_lr(recipe) if recipe.fix_pred_lr else lr
    return lr
