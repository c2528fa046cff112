"""What a mind has practised: accepted lines by family and level, a few of each, that later rounds mix in.

It is text that the mind made itself, never the day's data. An error that gets in would be rehearsed again and again, so
a level's share is capped, and newer lines, which a better judge accepted, replace older ones.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from sleepwake.domains import tensors
from sleepwake.domains.language.problems import Line, from_json, size, to_json


class Practice:
    """Accepted lines by family and level.

    Args:
        cap: lines kept a family and level.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.lines: dict[tuple[str, int], tuple[Line, ...]] = {}

    def add(self, family: str, level: int, lines: Sequence[Line]) -> None:
        """Put lines first, without repeating a problem, and keep the first ones."""
        merged = {line.problem: line for line in (*lines, *self.lines.get((family, level), ()))[::-1]}
        if merged:
            self.lines[family, level] = tuple(reversed(merged.values()))[: self.cap]

    def of(self, family: str) -> list[Line]:
        """A family's lines, lowest level first."""
        return [line for (name, _), lines in sorted(self.lines.items()) if name == family for line in lines]

    def above(self, levels: Mapping[str, float]) -> list[Line]:
        """The lines from each family's level upwards; a family without a level has none."""
        return [line for (name, at), lines in sorted(self.lines.items()) if at >= levels.get(name, math.inf) for line in lines]

    def all(self) -> list[Line]:
        """All lines."""
        return [line for _, lines in sorted(self.lines.items()) for line in lines]

    def save(self, file: Path) -> None:
        """Write as JSON."""
        rows = [[family, level, to_json(lines)] for (family, level), lines in sorted(self.lines.items())]
        tensors.save_json(rows, file)

    def load(self, file: Path) -> None:
        """Read what `save` wrote."""
        self.lines = {(family, level): from_json(rows) for family, level, rows in tensors.load_json(file)}

    def bytes(self) -> int:
        """Characters stored."""
        return size(self.all())
