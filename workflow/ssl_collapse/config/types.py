"""What every config model shares: strict models, and the kinds of numbers and names."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class StrictModel(BaseModel):
    """Base of all config models: a key it does not know or a wrong type is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
Text = Annotated[str, Field(min_length=1)]
# A name becomes part of paths: nothing that a shell, a URL or a file system would interpret.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
