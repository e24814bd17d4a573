"""Backbones and methods are found by their modules, so that a new one is a new file.

Every module in `config/backbones` and `config/methods` holds one model called `Config`; the
module of the same name in `models/backbones` or `models/methods` builds it. Nothing lists them:
adding one changes no code that the results of the others were made with.
"""

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Field

from ssl_collapse.config.types import StrictModel

_METHODS = "ssl_collapse.config.methods"


@cache
def _configs(package: str) -> list[type[StrictModel]]:
    folder = import_module(package).__path__
    names = sorted(module.name for module in pkgutil.iter_modules(folder))
    return [import_module(f"{package}.{name}").Config for name in names]


def _union(package: str, discriminator: str) -> Any:
    configs = _configs(package)
    if len(configs) == 1:
        return configs[0]
    return Annotated[Union[tuple(configs)], Field(discriminator=discriminator)]  # noqa: UP007


def model_module(config: StrictModel) -> str:
    """Name of the module that builds what `config` describes."""
    return type(config).__module__.replace("ssl_collapse.config.", "ssl_collapse.models.")


def default_method() -> Any:
    """SimSiam, the method of the paper."""
    return import_module("ssl_collapse.config.methods.simsiam").Config()


def method_recipe(method: Any) -> dict[str, Any]:
    """The method's own defaults of a run's other keys; `method`: a model, or as it was written."""
    if isinstance(method, dict):
        found = [
            m for m in _configs(_METHODS) if m.model_fields["name"].default == method.get("name")
        ]
        method = found[0] if found else None
    return getattr(method, "recipe", {})


def _named(value: Any) -> Any:
    """Without a name, SimSiam is meant: also where there are other methods."""
    return {"name": "simsiam", **value} if isinstance(value, dict) else value


if TYPE_CHECKING:
    Backbone = Any
    Method = Any
else:
    Backbone = _union("ssl_collapse.config.backbones", "arch")
    Method = Annotated[_union(_METHODS, "name"), BeforeValidator(_named)]
