"""Recipes x seeds, with a ledger: one JSON line a finished run, and nothing is computed twice.

A line is found again by the hash of its recipe, which holds seed, method and overrides; so a run is done anew only where those changed.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sleepwake import machine, recipebook
from sleepwake import recipe as recipes
from sleepwake.engines import Engine
from sleepwake.errors import SleepwakeError, writing


@dataclass(frozen=True)
class Arm:
    """One run of a sweep."""

    recipe: str
    seed: int
    settings: tuple[str, ...]

    @property
    def key(self) -> str:
        """Hash of the recipe without what stands at its default, so that a new setting doesn't make old runs strangers."""
        checked = recipes.load(recipebook.find(self.recipe), self.settings, self.seed)
        said = checked.model_dump(mode="json", exclude_defaults=True)
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def run(self) -> str:
        """Its run's folder, within the sweep's."""
        return f"{self.recipe.replace('/', '-')}-{self.seed}-{self.key[:6]}"

    @property
    def name(self) -> str:
        """What the ledger and the tables call it, without the seed."""
        return " ".join((self.recipe, *self.settings))


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """The finished runs of a ledger that still stand; none where there is no ledger yet. A line marked `superseded` says why it doesn't."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if "superseded" not in line]


def sweep(
    arms: Sequence[Arm],
    ledger: Path,
    folder: Path,
    engine: Engine,
    options: Sequence[str] = (),
    tell: Callable[[str], Any] = print,
) -> list[dict[str, Any]]:
    """Run every arm that the ledger doesn't hold; returns the ledger's lines of these arms.

    A run that was cut off is resumed. A run that fails stops nothing else; it is told at the end, and the ledger doesn't hold it.

    Args:
        arms: what to run.
        ledger: the .jsonl file; a line is added as each run finishes.
        folder: where the runs' folders go.
        engine: what works them off.
        options: passed on to `sleepwake run`, such as --data DIR.
        tell: shows a line.

    Raises:
        SleepwakeError: some runs failed.
    """
    keys = {arm.key: arm for arm in arms}
    known = {line["recipe_sha256"] for line in read_ledger(ledger)}
    missing = [(key, arm, folder / arm.run) for key, arm in keys.items() if key not in known]
    with writing(ledger):
        ledger.parent.mkdir(parents=True, exist_ok=True)
        ledger.touch()
    failed = []
    for ended in engine.run([command(arm, out, options) for _, arm, out in missing]):
        key, arm, out = missing[ended.place]
        if ended.code:
            failed.append(f"{arm.name} seed {arm.seed}: exit {ended.code}\n{ended.error[-2000:]}")
            tell(failed[-1])
            continue
        line = {"recipe_sha256": key, "arm": arm.name, "seed": arm.seed, "commit": machine.git_commit(),
                "summary": json.loads((out / "summary.json").read_text())}  # fmt: skip
        with ledger.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        tell(f"{arm.name} seed {arm.seed}: done")
    if failed:
        raise SleepwakeError(
            f"{len(failed)} of {len(missing)} runs failed:\n" + "\n".join(failed), "mend it and sweep again; finished runs are kept"
        )
    return [line for line in read_ledger(ledger) if line["recipe_sha256"] in keys]


def command(arm: Arm, out: Path, options: Sequence[str]) -> list[str]:
    """What starts a run, or resumes it where its folder is there already."""
    sets = [part for setting in arm.settings for part in ("--set", setting)]
    start = ["run", arm.recipe, "--out", str(out), "--seed", str(arm.seed), *sets]
    begun = (out / "recipe.json").exists()
    return [sys.executable, "-m", "sleepwake.cli", *(["resume", str(out)] if begun else start), *options]


def parse_seeds(text: str) -> list[int]:
    """Seeds from "0-4" or "0,2,5".

    Raises:
        SleepwakeError: neither.
    """
    try:
        first, dash, last = text.partition("-")
        return list(range(int(first), int(last) + 1)) if dash else [int(part) for part in text.split(",")]
    except ValueError:
        raise SleepwakeError(f"--seeds {text}: neither a range nor a list", "--seeds 0-4 or --seeds 0,2,5") from None
