"""Named methods: bundles of settings that a recipe takes in with `method = "..."`. They live in a domain's methods.toml."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sleepwake.errors import RecipeError

Table = dict[str, Any]


def known(domain: str) -> dict[str, Table]:
    """The methods of a domain by name; none where it has no methods.toml."""
    file = files("sleepwake") / "domains" / domain / "methods.toml"
    return tomllib.loads(file.read_text()) if file.is_file() else {}


def expand(table: Mapping[str, Any], domain: str, where: str) -> Table:
    """The table with the settings of the method that it names; where both say something, the table's own word stands.

    Raises:
        RecipeError: there is no such method.
    """
    name = table.get("method", "")
    if not name:
        return dict(table)
    methods = known(domain)
    if not isinstance(name, str) or name not in methods:
        raise RecipeError(f"{where}: 1 mistake\n  method = {name!r}: there is no such method", f"method = one of {', '.join(methods)}")
    return under({key: value for key, value in methods[name].items() if key != "about"}, table)


def under(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """Both tables in one, the upper one's word first; a table that says its `type` covers one of another type whole."""
    joined = dict(below)
    for key, value in above.items():
        other = below.get(key)
        same = isinstance(value, Mapping) and isinstance(other, Mapping) and value.get("type", other.get("type")) == other.get("type")
        joined[key] = under(other, value) if same else value  # type: ignore[arg-type]
    return joined
