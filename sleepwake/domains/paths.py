"""Where a recipe's relative data path is sought."""

from pathlib import Path

from sleepwake.errors import DataError


def find(path: str, places: tuple[Path, ...]) -> Path:
    """The first existing file or folder for a path.

    Args:
        path: absolute, or relative to one of the places.
        places: what `--data`, `$SLEEPWAKE_DATA` and the recipe's own folder name, in this order.

    Raises:
        DataError: nothing there; names every place that was looked at.
    """
    candidates = [Path(path)] if Path(path).is_absolute() else [place / path for place in places]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    tried = "\n".join(f"  {candidate}" for candidate in candidates) or "  (no place to look in)"
    raise DataError(
        f"data {path!r} was not found; looked for\n{tried}",
        "name its folder with --data DIR or in $SLEEPWAKE_DATA, or put it beside the recipe",
    )
