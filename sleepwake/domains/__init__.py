"""Domains: what a mind is made of. One folder a domain.

Map: `vision` is a classifier with generative and diffusion dreams, `language` a causal language model with self-written problems.
A domain's `settings.py` (no torch) holds a settings class for each learner, dreamer, challenger, judge, family and method, and the
table from `type` to the class that does it; its `domain.py` has `build`. To add one: its file, its settings class, its line in the table.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from sleepwake.roles import Domain

DOMAINS = {
    "vision": "sleepwake.domains.vision.domain:build",
    "language": "sleepwake.domains.language.domain:build",
}
"""Where each domain is built; only `build` imports torch."""


def load_class(path: str) -> Any:
    """The object that a `module:Name` of a table names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def build(recipe: Any, device: str, places: tuple[Path, ...]) -> Domain:
    """The recipe's domain, ready to give fresh minds.

    Args:
        recipe: a checked recipe.
        device: "auto", "cpu" or "cuda".
        places: folders in which relative data paths are sought, in order.

    Raises:
        DataError: data that the recipe names is missing or malformed.
    """
    domain: Domain = load_class(DOMAINS[recipe.domain.type])(recipe, device, places)
    return domain


def machine() -> dict[str, Any]:
    """What of this machine may change a run's last bits: CPU capability, and the device. Imports torch."""
    facts: dict[str, Any] = load_class("sleepwake.domains.tensors:machine")()
    return facts
