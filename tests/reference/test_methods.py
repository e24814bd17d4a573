"""BYOL and MoCo v3: the authors' modules and ours, three steps of SGD on the same views.

Their `main_moco.py` adds LARS and mixed precision around these; of its LARS the file was never
published. NNSiam is among the trainings of test_pretraining.py.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from authors_code import Reference
from pydantic import ValidationError
from torchvision.models import resnet18

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.models.build import build_backbone, build_method

METHODS = {  # name here -> (file, class there; the momentum encoder here)
    "byol": ("autolearn/byol/builder.py", "BYOL_ResNet", "target"),
    "moco_v3": ("autolearn/moco/builder.py", "MoCo_ResNet", "keys"),
}


def renamed(name: str, follower: str) -> str:
    """The name here of a weight there."""
    for encoder, place in (("base_encoder.", ""), ("momentum_encoder.", f"{follower}.")):
        if name.startswith(encoder):
            rest = name.removeprefix(encoder)
            part = "projector" if rest.startswith("fc.") else "backbone"
            return f"{place}{part}.{rest.removeprefix('fc.')}"
    return name


@pytest.mark.parametrize("name", METHODS)
def test_three_steps(reference: Reference, in_float64: None, name: str):
    file, kind, follower = METHODS[name]
    sizes = {"projection_dim": 16, "hidden_dim": 32}
    momenta = {"ema_momentum": 0.9, "final_ema_momentum": 0.9}
    keys = {"backbone": {"arch": "resnet18"}, "method": {"name": name, **sizes, **momenta}}
    try:
        recipe = Recipe.model_validate(keys)
    except ValidationError:
        pytest.skip(f"this version has no method {name}")
    builder = reference.module(file)
    torch.manual_seed(0)
    theirs = getattr(builder, kind)(partial(resnet18, zero_init_residual=True), 16, 32)
    ours: Any = build_method(*build_backbone(recipe.backbone), recipe.method)
    ours.load_state_dict({renamed(n, follower): t for n, t in theirs.state_dict().items()})
    optimizers = [torch.optim.SGD(m.parameters(), 0.1, momentum=0.9) for m in (theirs, ours)]
    for step in range(3):
        views = torch.randn(2, 4, 3, 32, 32)
        ours.before_step(step, 3)
        losses = theirs(*views, 0.9), ours(*views)
        assert losses[1].item() == pytest.approx(losses[0].item(), abs=1e-9)
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    state = ours.state_dict()
    for there, tensor in theirs.state_dict().items():
        np.testing.assert_allclose(state[renamed(there, follower)], tensor, rtol=1e-7, atol=1e-9)
