"""The base of every settings class: frozen, unknown keys refused, a field's help is the string under it."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """One section of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, strict=False)
