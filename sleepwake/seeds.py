"""Seeds from position: any part of a run can be drawn again alone, and no random state crosses a phase."""

from hashlib import blake2b


def seed(root: int, *position: int | str) -> int:
    """Seed for a place in a run.

    Args:
        root: the recipe's seed.
        position: step, phase, stage, role, and whatever else tells two draws apart.

    Returns:
        A number in [0, 2**63), the same on every machine and in every process.
    """
    text = "/".join(f"{type(part).__name__}:{part}" for part in (root, *position))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
