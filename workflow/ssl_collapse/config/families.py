"""Backbones and methods are found by their modules, so that a new one is a new file.

Every module in `config/backbones` and `config/methods` holds one model called `Config`; the
module of the same name in `models/backbones` or `models/methods` builds it. Nothing lists them:
adding one changes no code that the results of the others were made with.
"""

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter

from ssl_collapse.config.backbones import timm_model
from ssl_collapse.config.types import StrictModel

_METHODS = "ssl_collapse.config.methods"


@cache
def _configs(package: str) -> list[type[StrictModel]]:
    folder = import_module(package).__path__
    names = sorted(module.name for module in pkgutil.iter_modules(folder))
    return [import_module(f"{package}.{name}").Config for name in names]


def _union(configs: list[type[StrictModel]], discriminator: str) -> Any:
    if len(configs) == 1:
        return configs[0]
    return Annotated[Union[tuple(configs)], Field(discriminator=discriminator)]  # noqa: UP007


def _backbones() -> Any:
    """The families whose `arch` are names, and timm's, whose `arch` begins with `timm:`."""
    configs = _configs("ssl_collapse.config.backbones")
    by_name = _union([config for config in configs if config is not timm_model.Config], "arch")
    return Annotated[
        Annotated[by_name, Tag("name")] | Annotated[timm_model.Config, Tag("timm")],
        Discriminator(_timm_or_name),
    ]


def _timm_or_name(value: Any) -> str:
    arch = value.get("arch") if isinstance(value, dict) else getattr(value, "arch", None)
    return "timm" if isinstance(arch, str) and arch.startswith(timm_model.PREFIX) else "name"


def backbone_of(keys: dict[str, Any]) -> Any:
    """The config of a backbone by its keys, `arch` first (errors: pydantic.ValidationError)."""
    return TypeAdapter(Backbone).validate_python(keys)


def model_module(config: StrictModel) -> str:
    """Name of the module that builds what `config` describes."""
    return _builder(type(config))


def _builder(config: type[StrictModel]) -> str:
    return config.__module__.replace("ssl_collapse.config.", "ssl_collapse.models.")


def all_backbone_modules() -> tuple[str, ...]:
    """The modules of every family, config and builder: of an encoder that may be of any."""
    configs = _configs("ssl_collapse.config.backbones")
    return tuple(name for c in configs for name in (c.__module__, _builder(c)))


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
    Backbone = _backbones()
    Method = Annotated[_union(_configs(_METHODS), "name"), BeforeValidator(_named)]
