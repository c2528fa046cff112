"""The journal: one JSON object a line, appended, never changed, cut back only to what was committed.

Two equal runs have equal journals but for `timing` (clock, host, pid, paths, memory) and for events of a session
(resumed, interrupted, recovered, failed, measured). Those take the `seq` of the line before them, so that they shift nothing.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol

Event = Literal[
    "started", "decided", "woke", "staged", "gated", "evaluated", "committed",
    "resumed", "interrupted", "recovered", "failed", "measured", "finished",
]  # fmt: skip
SESSION_EVENTS = frozenset({"resumed", "interrupted", "recovered", "failed", "measured"})
PLACE = ("step", "day", "night", "round", "phase")


Tell = Callable[[dict[str, Any]], None]
"""Shows a journal line to whoever watches the run."""


class Note(Protocol):
    """Writes one journal line at a fixed place."""

    def __call__(self, event: Event, *, stage: str | None = None, seconds: float | None = None, **data: Any) -> None: ...


class Journal:
    """A run's journal with the running hash of its content. Holds no open file: a line is on its way to disk once it is noted."""

    def __init__(self, path: Path, length: int, tell: Tell) -> None:
        """Cut the file to `length` bytes; the caller has checked that so many are there and whole."""
        path.touch()
        os.truncate(path, length)
        content = path.read_bytes()
        assert len(content) == length
        self._path, self._tell = path, tell
        self._hash = sha256(content)
        self.length = length
        self.events: list[dict[str, Any]] = [json.loads(line) for line in content.splitlines()]
        self.seq = self.events[-1]["seq"] if self.events else -1

    def at(self, place: Mapping[str, Any]) -> Note:
        """A way to write lines at a place: step, day, night, round, phase; missing ones are null.

        A line's data are JSON values without NaN. Whatever may differ between two equal runs goes into `timing`.
        A line counts once a state that names the journal's length is in place.
        """

        def note(event: Event, *, stage: str | None = None, seconds: float | None = None, **data: Any) -> None:
            self.seq += event not in SESSION_EVENTS
            timing = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **data.pop("timing", {})}
            if seconds is not None:
                timing["seconds"] = seconds
            line = {"seq": self.seq, "event": event} | {key: place.get(key) for key in PLACE} | {"stage": stage}
            text = (json.dumps(line | data | {"timing": timing}, allow_nan=False) + "\n").encode()
            with self._path.open("ab") as file:
                file.write(text)
            self._hash.update(text)
            self.length += len(text)
            self.events.append(json.loads(text))
            self._tell(self.events[-1])

        return note

    def sync(self) -> tuple[int, str]:
        """Force all lines to disk; returns length in bytes and sha256."""
        with self._path.open("ab") as file:
            os.fsync(file.fileno())
        return self.length, self._hash.hexdigest()


def read(path: Path, length: int | None = None) -> list[dict[str, Any]]:
    """The journal's events, of the first `length` bytes or of the whole file."""
    content = path.read_bytes()[:length]
    return [json.loads(line) for line in content.splitlines()]
