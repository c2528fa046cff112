"""Kill -9 at random instants, resume, and compare with the unbroken run: every committed file, and the journal.

    python benchmarks/kills.py --each 10 --ledger benchmarks/results/kills.jsonl vision/tiny vision/tiny-dream language/tiny language/tiny-grpo

Every fourth trial kills the resume too. Instants are uniform over the unbroken run's duration, drawn from a fixed seed. One JSON line a
trial; a trial that the ledger holds for the same commit of the code is not made again. Exit 1 where any trial differs.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sleepwake.derived import fingerprint

COMMAND = [sys.executable, "-m", "sleepwake.cli"]


def launch(recipe: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start the run, or go on with it where it has begun."""
    command = ["resume", str(folder)] if folder.exists() else ["run", recipe, "--out", str(folder)]
    return subprocess.Popen([*COMMAND, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at(recipe: str, folder: Path, instant: float) -> float:
    """Start or go on, and kill at the instant; where the run has ended by then, wipe it and try at half of the instant.

    Returns:
        The instant at which a living process was killed, in seconds.
    """
    before = folder.with_name("before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        shutil.copytree(folder, before, copy_function=shutil.copy)
    while True:
        process = launch(recipe, folder)
        time.sleep(instant)
        alive = process.poll() is None
        process.kill()
        process.wait()
        if alive:
            return instant
        shutil.rmtree(folder)
        if before.exists():
            shutil.copytree(before, folder, copy_function=shutil.copy)
        instant /= 2


def trial(recipe: str, folder: Path, instants: list[float]) -> tuple[list[float], list[str]]:
    """Kill at each instant in turn, then run to the end; returns the instants of the kills and the phases that were cut."""
    killed, cut = [], []
    for instant in instants:
        killed.append(kill_at(recipe, folder, instant))
        commits = sorted(p.name for p in folder.glob("[0-9]*")) if folder.exists() else []
        cut.append(commits[-1] if commits else "before the first commit")
    code = launch(recipe, folder).wait()
    assert code == 0, f"resume ended with exit {code}"
    return killed, cut


def main() -> int:
    """Make the trials and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--ledger", type=Path, default=Path("benchmarks/results/kills.jsonl"))
    args = parser.parse_args()
    args.ledger.parent.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    lines = [json.loads(line) for line in args.ledger.read_text().splitlines()] if args.ledger.exists() else []
    known = {(line["recipe"], line["trial"]) for line in lines if line["commit"] == commit and line.get("alive")}
    differed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for recipe in args.recipes:
            todo = [index for index in range(args.each) if (recipe, index) not in known]
            if not todo:
                continue
            began, whole = time.monotonic(), Path(scratch) / "whole"
            assert launch(recipe, whole).wait() == 0
            duration = time.monotonic() - began
            expected = fingerprint(whole)
            for index in todo:
                rng = random.Random(f"{recipe} {index}")
                instants = [rng.uniform(0.5, duration) for _ in range(2 if index % 4 == 3 else 1)]
                folder = Path(scratch) / "run"
                instants, cut = trial(recipe, folder, instants)
                equal = fingerprint(folder) == expected
                differed += not equal
                line = {
                    "recipe": recipe,
                    "trial": index,
                    "commit": commit,
                    "alive": True,
                    "instants_s": instants,
                    "whole_s": duration,
                    "cut": cut,
                    "equal": equal,
                }
                with args.ledger.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(
                    f"{recipe} {index}: killed at {', '.join(f'{t:.1f}' for t in instants)} s after {cut}: {'equal' if equal else 'DIFFERENT'}",
                    flush=True,
                )
                shutil.rmtree(folder)
            shutil.rmtree(whole)
    return 1 if differed else 0


if __name__ == "__main__":
    sys.exit(main())
