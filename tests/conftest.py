"""Every test runs offline, on one thread, and under a default device on which a tensor made without `device=` is of no use."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("SLEEPWAKE_DATA", None)

from collections.abc import Iterator
from pathlib import Path

import pytest

import sleepwake  # noqa: F401  sets what must be set before torch is imported

DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _meta(request: pytest.FixtureRequest) -> Iterator[None]:
    """On a GPU machine the `gpu` tests choose their device; everything else must name one itself."""
    if "gpu" in request.keywords:
        yield
        return
    import torch

    torch.set_num_threads(1)
    with torch.device("meta"):
        yield


@pytest.fixture
def data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    if not DATA.exists():
        pytest.skip(f"real data are not at {DATA}")
    return DATA
