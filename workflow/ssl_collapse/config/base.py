"""What every config model shares: strict types, no unknown keys, frozen."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Base of all config models: a key it does not know or a wrong type is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
