"""What a run was made with: python, packages, git commit. Told in recipe.json and by `doctor`; never decided upon."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import sleepwake

PACKAGES = ("torch", "transformers", "diffusers", "peft", "trl", "accelerate", "datasets", "safetensors", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of python, sleepwake and what it computes with."""
    found = {"python": platform.python_version(), "sleepwake": sleepwake.__version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_commit() -> str | None:
    """The commit of the checkout that this package runs from; None where it is installed from a wheel."""
    folder = Path(__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    asked = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None
