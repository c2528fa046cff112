"""The size of a network, as a recipe says it. Imports no torch."""

from typing import Self

from pydantic import Field, model_validator

from sleepwake.settings import Settings


class Shape(Settings):
    """The size of a network."""

    width: int = Field(96, ge=8, le=1024, multiple_of=8)
    """Hidden size; must be a multiple of heads."""
    layers: int = Field(3, ge=1, le=24)
    """Transformer blocks."""
    heads: int = Field(4, ge=1, le=32)
    """Attention heads."""
    expansion: int = Field(2, ge=1, le=64)
    """Width of the feed-forward layer as a multiple of `width`."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads or self.width // self.heads % 2:
            raise ValueError(f"width {self.width} is not an even multiple of heads {self.heads}: write width = {self.heads * 24}")
        return self
