"""The base of every mapping in routes.yaml."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A mapping of the file: unknown fields are refused, and no type is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
