"""Config of any model of the timm library."""

import re
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ssl_collapse.config.types import Pixels, StrictModel

PREFIX = "timm:"
_REGISTERED = re.compile(r"^@register_model\ndef (\w+)\(", re.MULTILINE)


@cache
def timm_names() -> frozenset[str]:
    """The names of timm's models, from its source: importing it takes seconds."""
    found = find_spec("timm")
    if found is None or found.origin is None:
        return frozenset()
    files = Path(found.origin).parent.joinpath("models").glob("*.py")
    return frozenset(
        name for file in files for name in _REGISTERED.findall(file.read_text("utf-8"))
    )


def _known(arch: str) -> str:
    name = arch.removeprefix(PREFIX)
    names = timm_names()
    if name in names:
        return arch
    if not names:
        raise ValueError(f"{arch!r} needs the package timm; install envs/requirements.txt")
    model, _, tag = name.partition(".")
    if model in names:
        raise ValueError(
            f"{arch!r}: `.{tag}` names weights, and none are downloaded; "
            f"write {PREFIX}{model}, and for weights of a file `checkpoint: PATH`"
        )
    near = [f"{PREFIX}{other}" for other in get_close_matches(name, sorted(names), n=3)]
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `timm.list_models()` names them"
    raise ValueError(f"timm has no model {name!r}{hint}")


class Config(StrictModel):
    """A model of timm by name, randomly initialised, without its classifier."""

    arch: Annotated[
        str,
        Field(pattern=f"^{PREFIX}", max_length=120, examples=[f"{PREFIX}NAME"]),
        AfterValidator(_known),
    ]
    """`timm:NAME`."""
    pooling: Literal["avgpool", "token", "patch_mean"] | None = None
    """Representation: average of the last map, class `token`, mean of patches; null: timm's."""
    image_size: Pixels | None = None
    """Size in px that a transformer is built for, of others interpolated; null: timm's."""
    options: dict[Annotated[str, Field(pattern="^[a-z_0-9]+$")], bool | int | float | str] = {}
    """Further arguments of the model, as timm names them: `{depth: 6, num_heads: 6}`."""
