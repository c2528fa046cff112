"""The base of every settings class: frozen, unknown keys refused, a field's help is the string under it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CODE = r"^[\w./-]+:[A-Za-z_]\w*$"
"""A class of the user's own: `file.py:Name` or `package.module:Name`."""


class Settings(BaseModel):
    """One section of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, strict=False)


class Own(Settings):
    """A class of your own, in the place of a shipped one. It runs code: only with --allow-code."""

    type: Literal["own"]
    """Named by `code`."""
    code: str = Field(pattern=CODE)
    """`file.py:Name`, sought where data are, or `package.module:Name`; made with the same arguments as the shipped ones."""
