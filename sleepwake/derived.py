"""What is derived from a run's journal: summary.json after every commit, report.html when a person will look, and its fingerprint."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from sleepwake import report
from sleepwake.summary import summarise

Events = list[dict[str, Any]]


def summary(folder: Path, events: Events) -> dict[str, Any]:
    """The run's summary, as `summary.json` holds it."""
    recipe = json.loads((folder / "recipe.json").read_text())["recipe"]
    hashed = sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    return summarise(events, recipe, hashed, size(folder))


def summary_file(folder: Path, events: Events) -> dict[str, str]:
    """`summary.json` by name and content."""
    return {"summary.json": json.dumps(summary(folder, events), indent=1) + "\n"}


def report_file(folder: Path, events: Events, commit: Path) -> dict[str, str]:
    """`report.html` by name and content, with the pictures of the last commit."""
    return {"report.html": report.render(summary(folder, events), events, commit)}


def size(folder: Path) -> int:
    """Bytes of a run's commits and journal on disk; hard links count once."""
    files = {file.stat().st_ino: file.stat().st_size for file in folder.glob("*/**/*") if file.is_file()}
    return sum(files.values()) + (folder / "journal.jsonl").stat().st_size


def fingerprint(folder: Path) -> dict[str, Any]:
    """All that must be equal between equal runs: every committed file's hash, and the journal without `timing` and `resumed` events."""
    files = {manifest.parent.name: json.loads(manifest.read_text())["files"] for manifest in sorted(folder.glob("*/manifest.json"))}
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    journal = [{key: value for key, value in line.items() if key != "timing"} for line in lines if line["event"] != "resumed"]
    return {"files": files, "journal": journal}
