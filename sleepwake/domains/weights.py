"""Weights that others have trained: fetched from the hub, or told apart by a fingerprint. Both domains use them."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from sleepwake.checkpoint import digest
from sleepwake.errors import DataError

SUFFIXES = (".safetensors", ".json", ".jinja", ".model", ".txt")
"""Weights, configurations, tokenizers, templates."""


def fetched(setting: str, hub_id: str, revision: str, files: Sequence[str], instead: str) -> Path:
    """The folder of a repository of the hub in the hub's own cache.

    Args:
        setting: where in the recipe it is named.
        hub_id: owner and name.
        revision: a commit; empty: the newest.
        files: patterns of what is wanted.
        instead: the line to write for one that was fetched elsewhere.

    Raises:
        DataError: the hub can't be reached, or doesn't have it.
    """
    from huggingface_hub import snapshot_download  # the only line that may touch the network
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, revision=revision or None, allow_patterns=list(files)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise DataError(
            f"{setting}: {hub_id!r} can't be fetched from the hub: {error}", f"fetch it where there is a network and write {instead}"
        ) from error


def fingerprint(folder: Path) -> str:
    """Hash of a folder's weights and configuration, by which a run knows its own again; files are read again only where they changed."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in SUFFIXES and file.is_file()]
    return _hashed(folder, tuple((str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=4)
def _hashed(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    return sha256("\n".join(f"{name} {digest(folder / name)}" for name, _, _ in files).encode()).hexdigest()
