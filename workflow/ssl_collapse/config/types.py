"""What every config model shares: strict models, their specs, kinds of numbers and texts."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationInfo,
    model_validator,
)
from pydantic_core import to_json

Model = TypeVar("Model")
_FROM_SPEC = object()


@dataclass(frozen=True)
class Neutral:
    """Beside the Field of a key that was added after a release: `Annotated[int, Neutral(1)]`.

    The value, as JSON has it, that all results were made with before there was the key. A spec
    leaves the key out where it has that value, so that the new key makes no earlier result again.
    """

    value: Any


class StrictModel(BaseModel):
    """Base of all config models: a key it does not know or a wrong type is an error.

    The text below a key is its description.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def to_spec(self) -> dict[str, Any]:
        """The model as plain data, without the keys that have their neutral value."""
        values = {name: _plain(getattr(self, name)) for name in type(self).model_fields}
        neutral = self._neutral()
        return {k: v for k, v in values.items() if not (k in neutral and v == neutral[k])}

    def to_spec_json(self) -> str:
        """The spec as compact JSON, its keys in the model's order."""
        return to_json(self.to_spec()).decode()

    @classmethod
    def from_spec(cls, text: str | bytes) -> Self:
        """The model of a spec (errors: pydantic.ValidationError)."""
        return cls.model_validate_json(text, context=_FROM_SPEC)

    @classmethod
    def _neutral(cls) -> dict[str, Any]:
        return {
            name: mark.value
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Neutral)
        }

    @model_validator(mode="before")
    @classmethod
    def _neutral_where_absent(cls, values: Any, info: ValidationInfo) -> Any:
        if is_from_spec(info) and isinstance(values, dict):
            return {**cls._neutral(), **values}
        return values


def is_from_spec(info: ValidationInfo) -> bool:
    """Whether what is validated is a spec, which holds every value but the neutral ones."""
    return info.context is _FROM_SPEC


def from_spec(adapter: TypeAdapter[Model], text: str | bytes) -> Model:
    """What a spec describes that is no single model (errors: pydantic.ValidationError)."""
    return adapter.validate_json(text, context=_FROM_SPEC)


TAGS = ("kind", "arch", "name")  # keys that say which of several mappings is meant


def merge(base: Any, over: Any) -> Any:
    """Lay `over` over `base`: mappings key by key, anything else or of another tag replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    if any(tag in over and tag in base and over[tag] != base[tag] for tag in TAGS):
        return over
    return base | {key: merge(base.get(key), value) for key, value in over.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, StrictModel):
        return value.to_spec()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _without_controls(text: str) -> str:
    if found := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        raise ValueError(f"holds the control character {found[0]!r}; leave it out")
    return text


def _possible_path(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds the character '\\x00', which no path can")
    if any(len(part.encode()) > 255 for part in text.split("/")):
        raise ValueError("holds a name of more than 255 bytes, which no file system allows")
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no user {text.split('/')[0]!r} on this machine") from None
    return text


def _not_periodic(name: str) -> str:
    # Snakemake takes the end of a wildcard that repeats itself 20 times for an endless recursion.
    for length in range(1, len(name) // 20 + 1):
        if name.endswith(name[-length:] * 20):
            raise ValueError(f"ends in {name[-length:]!r} 20 times or more; give it a shorter end")
    return name


def _not_a_file_of_ours(name: str) -> str:
    if name in ("images", "checkpoints"):
        raise ValueError(f"{name!r} is what a folder of results is called; take another name")
    if found := re.search(r"\.(log|json|csv|h5|npy|pt|safetensors)$", name):
        raise ValueError(f"{name!r} ends in {found[0]!r}, as files of results do; leave it out")
    return name


def _relative_folder(path: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*", path):
        raise ValueError(
            f"{path!r} is not allowed; use letters, digits, `_`, `-` and `.`, a letter or digit "
            "first, and `/` between the names of folders"
        )
    return path


Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Steps = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
AboveZero = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(gt=0, le=100)]
Probability = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[int, Field(ge=1, le=65_536)]  # of a layer
Blocks = Annotated[int, Field(ge=1, le=100)]  # of a stage
Pixels = Annotated[int, Field(ge=8, le=10_000)]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
Interpolation = Literal["bilinear", "bicubic"]
# Texts travel on command lines, of which the system allows 128 KiB.
FreeText = Annotated[str, Field(max_length=5000), AfterValidator(_without_controls)]
Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_without_controls)]
Folder = Annotated[str, Field(min_length=1, max_length=3000), AfterValidator(_possible_path)]
RelativeFolder = Annotated[str, Field(max_length=500), AfterValidator(_relative_folder)]
# A name becomes part of paths: nothing that a shell, a URL or a file system would interpret.
Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80),
    AfterValidator(_not_periodic),
    AfterValidator(_not_a_file_of_ours),
]
