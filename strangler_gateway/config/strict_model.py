"""What every mapping of routes.yaml has in common."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Every mapping of the file: unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
