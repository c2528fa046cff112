"""Domains: what a mind is made of. One folder a domain.

Map: `vision` is a classifier with generative and diffusion dreams, `language` a causal language model with self-written problems.
A domain's `settings.py` (no torch) holds a settings class for each learner, dreamer, challenger, judge, family and method, and the
table from `type` to the class that does it; its `domain.py` has `build`. To add one: its file, its settings class, its line in the table.
"""

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from typing import Any

from sleepwake.domains.paths import find
from sleepwake.errors import RecipeError, SleepwakeError
from sleepwake.roles import Domain
from sleepwake.settings import CODE, Own

OWN = re.compile(CODE)

DOMAINS = {
    "vision": "sleepwake.domains.vision.domain:build",
    "language": "sleepwake.domains.language.domain:build",
}
"""Where each domain is built; only `build` imports torch."""


def load_class(path: str) -> Any:
    """The object that a `module:Name` of a table names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def own_class(code: str, places: tuple[Path, ...], takes: Sequence[str]) -> Any:
    """A user's own class or function: `file.py:Name`, the file sought in the places, or `package.module:Name`.

    Args:
        code: as the recipe names it.
        places: where the file is sought.
        takes: names of what it is called with.

    Raises:
        DataError: there is no such file.
        RecipeError: it can't be imported, doesn't hold the name, or can't be called with that.
    """
    try:
        made = _imported(code, places)
    except SleepwakeError:
        raise
    except Exception as error:  # a file of the user's own may raise anything
        told = f"{code!r} can't be loaded: {type(error).__name__}: {error}"
        raise RecipeError(told, '"file.py:Name", with a class Name in a file that can be imported') from error
    try:
        signature(made).bind(*takes)
    except TypeError as error:
        raise RecipeError(f"{code!r} is called with {', '.join(takes)}: {error}", f"def __init__(self, {', '.join(takes)}):") from error
    return made


def _imported(code: str, places: tuple[Path, ...]) -> Any:
    where, _, name = code.partition(":")
    if not where.endswith(".py"):
        return load_class(code)
    spec = spec_from_file_location(Path(where).stem, find(where, (Path(), *places)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def check_own(code: str, made: Any, protocol: type) -> None:
    """Refuse a user's own class, or an object of it, that lacks what a Protocol wants.

    Raises:
        RecipeError: names all that is missing.
    """
    wanted = {*dir(protocol), *(name for kind in protocol.__mro__ for name in getattr(kind, "__annotations__", ()))}
    if missing := sorted(name for name in wanted if not name.startswith("_") and not hasattr(made, name)):
        told = f"{protocol.__name__} in {protocol.__module__} says what they are; tests/own_parts.py has an example"
        raise RecipeError(f"{code!r} has no {', '.join(missing)}", told)


def chosen_class(
    table: Mapping[str, str], chosen: Any, places: tuple[Path, ...], takes: Sequence[str], protocol: type | None = None
) -> Any:
    """The class that does what a section asks for: by the domain's table, or the user's own, which must take and have what is wanted."""
    if not isinstance(chosen, Own):
        return load_class(table[chosen.type])
    made = own_class(chosen.code, places, takes)
    if protocol is not None:
        check_own(chosen.code, made, protocol)
    return made


def own_code(value: Any) -> list[str]:
    """Every piece of a user's own code that a resolved recipe names, in `code` or in the place of a family's name."""
    if isinstance(value, Mapping):
        inner = [code for part in value.values() for code in own_code(part)]
        return [*inner, *([value["code"]] if value.get("type") == "own" else [])]
    if isinstance(value, list | tuple):
        return [code for part in value for code in (own_code(part) if not isinstance(part, str) else [part] if OWN.match(part) else [])]
    return []


def build(recipe: Any, device: str, places: tuple[Path, ...], allow_code: bool = False) -> Domain:
    """The recipe's domain, ready to give fresh minds.

    Args:
        recipe: a checked recipe.
        device: "auto", "cpu" or "cuda".
        places: folders in which relative data paths are sought, in order.
        allow_code: whether code of the user's own, which the recipe names, may run.

    Raises:
        DataError: data that the recipe names is missing or malformed.
        RecipeError: the recipe names code, and that is not allowed.
    """
    if (codes := own_code(recipe.model_dump(mode="json"))) and not allow_code:
        raise RecipeError(f"the recipe runs code of its own: {', '.join(codes)}", "if you trust it, say so: --allow-code")
    domain: Domain = load_class(DOMAINS[recipe.domain.type])(recipe, device, places)
    return domain


def machine() -> dict[str, Any]:
    """What of this machine may change a run's last bits: CPU capability, and the device. Imports torch."""
    facts: dict[str, Any] = load_class("sleepwake.domains.tensors:machine")()
    return facts
