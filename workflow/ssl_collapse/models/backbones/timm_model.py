"""Any model of timm (Wightman, PyTorch Image Models) by name."""

from typing import Any, cast

import timm
from torch import Tensor, nn

from ssl_collapse.config.backbones.timm_model import PREFIX, Config
from ssl_collapse.runtime.errors import UserError

_POOLING = {"avgpool": "avg", "patch_mean": "avg", "token": "token"}


def build(config: Config) -> tuple[nn.Module, int]:
    """Build a randomly initialised model without its classifier.

    Returns:
        The module, (N, 3, H, W) -> (N, feature_dim), and the feature_dim that it tells.

    Raises UserError for options that the model does not take.
    """
    arguments: dict[str, Any] = {"num_classes": 0, **config.options}
    if config.pooling is not None:
        arguments["global_pool"] = _POOLING[config.pooling]
    if config.image_size is not None:
        arguments["img_size"] = config.image_size
    name = config.arch.removeprefix(PREFIX)
    try:
        # ViTs then take images of every size, and others refuse the argument before they draw.
        model: Any = timm.create_model(name, **{"dynamic_img_size": True, **arguments})
    except TypeError:
        try:
            model = timm.create_model(name, **arguments)
        except Exception as error:
            raise _refused(config, error) from None
        _refuse_other_sizes(model, config)
    except Exception as error:
        raise _refused(config, error) from None
    return model, cast(int, model.head_hidden_size)


def _refused(config: Config, error: Exception) -> UserError:
    return UserError(f"{config.arch}: timm cannot build it with the given keys: {error}")


def _refuse_other_sizes(model: Any, config: Config) -> None:
    """Have a model that is built for one size say so, in place of timm's assertion."""
    if not model.pretrained_cfg.get("fixed_input_size"):
        return
    size = config.image_size or model.pretrained_cfg["input_size"][-1]

    def check(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        given = inputs[0].shape[-1]
        if given != size:
            raise UserError(
                f"{config.arch} is built for {size} px, and the crop is {given}; "
                f"set `image_size: {given}` in its backbone"
            )

    model.register_forward_pre_hook(check)
