"""The shipped recipes: where they are, and how a recipe is shown with every default and its meaning."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.items import Table

from sleepwake import recipe as recipes
from sleepwake.errors import RecipeError


def book() -> Path:
    """The folder of the shipped recipes: in the package where it is installed, beside it in a checkout."""
    inside = Path(__file__).parent / "recipes"
    return inside if inside.exists() else Path(__file__).parent.parent / "recipes"


def names() -> list[str]:
    """Names of the shipped recipes, such as `vision/tiny`."""
    return sorted(str(path.relative_to(book()).with_suffix("")) for path in book().rglob("*.toml"))


def about(name: str) -> str:
    """The first line of a recipe's opening comment."""
    return (book() / f"{name}.toml").read_text().splitlines()[0].lstrip("# ")


def find(name: str) -> Path:
    """The file of a recipe: a path, or the name of a shipped one.

    Raises:
        RecipeError: neither.
    """
    shipped = book() / f"{name.removesuffix('.toml')}.toml"
    for candidate in (Path(name), shipped):
        if candidate.is_file():
            return candidate
    close = difflib.get_close_matches(name, names(), 3, 0.5)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    raise RecipeError(f"there is no recipe {name!r}: no such file, and none of that name is shipped",
                      f"{meant}the shipped ones: sleepwake recipes list")  # fmt: skip


def copied(file: Path, to: Path) -> str:
    """The text of a recipe under the name of another file, so that its runs get folders of their own."""
    name = re.sub("[^a-z0-9]+", "-", to.stem.lower()).strip("-") or "copy"
    return re.sub('^name = ".*"$', f'name = "{name}"', file.read_text(), count=1, flags=re.MULTILINE)


def show(recipe: recipes.Recipe) -> str:
    """A recipe as TOML with every setting, defaults too, each under its meaning. It loads again as the same recipe."""
    document = tomlkit.document()
    _write(document, recipe)
    return tomlkit.dumps(document)


def _write(into: Any, model: BaseModel) -> None:
    """Plain settings first, then tables: TOML knows no way back out of a table."""
    fields = type(model).model_fields
    plain = {name: value for name, value in model if not isinstance(value, BaseModel)}
    for name, value in plain.items():
        for text in (fields[name].description or "").splitlines():
            into.add(tomlkit.comment(text))
        into.add(name, _plain(value))
    for name, value in model:
        if isinstance(value, BaseModel):
            table: Table = tomlkit.table()
            for text in (fields[name].description or "").splitlines():
                table.add(tomlkit.comment(text))
            _write(table, value)
            into.add(name, table)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update({key: _plain(item) for key, item in value.items()})
        return table
    return value
