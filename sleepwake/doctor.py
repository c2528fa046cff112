"""What a person needs to know of this machine before a run."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sleepwake import domains, machine


def facts() -> dict[str, Any]:
    """Versions, device, threads, data folder and hub, each as text."""
    found: dict[str, Any] = dict(machine.versions())
    if find_spec("torch"):
        found |= domains.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found["cores"] = cores
    found["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "not set")
    data = os.environ.get("SLEEPWAKE_DATA")
    found["SLEEPWAKE_DATA"] = f"{data} ({'there' if Path(data).is_dir() else 'missing'})" if data else "not set"
    found["hub"] = "offline" if os.environ.get("HF_HUB_OFFLINE") == "1" else "reached only where a recipe names a hub id"
    return found
