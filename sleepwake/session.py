"""One session of a run: make or open its folder, build its domain, run, and leave a journal that says how it ended."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

from sleepwake import derived, domains, machine, recipe
from sleepwake.checkpoint import RunFolder
from sleepwake.errors import DamagedRunError, RecipeError, RunFolderError, SleepwakeError, writing
from sleepwake.journal import Event, Journal, Tell, read
from sleepwake.orchestrator import Orchestrator
from sleepwake.roles import Domain

interrupted = Flag()
"""Set once the user has asked the program to stop."""


@dataclass(frozen=True)
class Session:
    """An open run: its locked folder, its recipe and its domain, and when the program began (for start-up time)."""

    folder: RunFolder
    recipe: recipe.Recipe
    domain: Domain
    began: float

    @property
    def expected_commits(self) -> int:
        """How many commits the run will make if every day has its nights with all their rounds; for progress bars."""
        plan = self.recipe.plan(len(self.domain.tasks))
        a_night = plan.rounds + self.recipe.consolidates + 1 if plan.rounds else 0
        return plan.days * (1 + a_night * self.recipe.policy.most_nights)

    def go_on(self, tell: Tell, steps: int | None = None, only: str = "") -> bool:
        """Run to the end, for so many steps, or one step of a kind. However it ends, the journal says how.

        Returns:
            True once the run is finished.
        """
        try:
            run = Orchestrator(self.folder, self.recipe, self.domain, tell, time.perf_counter() - self.began)
            run.run(steps, only)
            return run.finished
        except (KeyboardInterrupt, Exception) as error:
            # an interrupt that falls into foreign code may come out of it as an error of that code's own
            if isinstance(error, KeyboardInterrupt) or interrupted.is_set():
                note_end(self.folder, tell, "interrupted", {})
                raise KeyboardInterrupt from error
            if not isinstance(error, SleepwakeError):  # that is the user's mistake, found before anything was done
                note_end(self.folder, tell, "failed", {"error": f"{type(error).__name__}: {error}"})
            raise
        finally:
            self.folder.release()


def start(
    file: Path,
    settings: list[str],
    seed: int | None,
    out: Path | None,
    overwrite: bool,
    device: str,
    data: Path | None,
    began: float,
    allow_code: bool = False,
) -> Session:
    """Check the recipe, build its domain (so that missing data is told before a folder is made), make the folder.

    Raises:
        SleepwakeError: recipe, data or folder are not as they should be.
    """
    checked = recipe.load(file, settings, seed)
    changed = f"-{recipe.short_hash(checked)}" if settings else ""
    path = out or Path("checkpoints") / f"{checked.name}-{checked.seed}{changed}"
    with writing(path):
        RunFolder.refuse(path, overwrite)
    beside = file.resolve().parent
    domain = _build(checked, device, data, beside, allow_code)
    made_with = {"versions": machine.versions(), **domains.machine(), "threads": checked.threads, "git_commit": machine.git_commit()}
    with writing(path):
        folder = RunFolder.create(path, {"recipe": recipe.resolved(checked), "beside": str(beside), **made_with})
    return Session(folder, checked, domain, began)


def reopen(
    path: Path, file: Path | None, device: str, data: Path | None, warn: Callable[[str], None], began: float, allow_code: bool = False
) -> Session:
    """Open a run's folder and build the domain that it was started with.

    Raises:
        RecipeError: a recipe file was named that differs from the run's; lists the fields.
        DamagedRunError: state.json or recipe.json is damaged.
    """
    folder = RunFolder(path)
    folder.read_state()
    content = folder.recipe()
    checked = recipe.parse(content["recipe"], str(path / "recipe.json"))
    if file is not None:
        named = recipe.load(file, [], checked.seed)
        if changed := recipe.differences(recipe.resolved(checked), recipe.resolved(named)):
            told = "\n".join(f"  {line}" for line in changed)
            raise RecipeError(f"{file} is not the recipe that {path} was started with:\n{told}",
                              f"resume without --recipe, or start anew: sleepwake run {file} --out DIR")  # fmt: skip
    domain = _build(checked, device, data, Path(content["beside"]), allow_code)
    for key, value in {"versions": machine.versions(), **domains.machine()}.items():
        if content[key] != value:
            warn(f"{key} differ from those that the run was started with; the last bits of its numbers may differ too")
    return Session(folder, checked, domain, began)


def note_end(folder: RunFolder, tell: Tell, event: Event, data: Mapping[str, Any]) -> None:
    """Cut the journal to what was committed and add how the session ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave this half done
    state, _ = folder.recover()
    journal = Journal(folder.path / "journal.jsonl", state.journal_bytes, tell)
    journal.at({"step": state.step})(event, **data)
    length, hashed = journal.sync()
    state = replace(state, journal_bytes=length, journal_sha256=hashed)
    folder.write_derived(state, derived.summary_file(folder.path, journal.events))


def committed_events(folder: RunFolder) -> list[dict[str, Any]]:
    """The journal as far as it counts."""
    return read(folder.path / "journal.jsonl", folder.read_state().journal_bytes)


def write_report(path: Path) -> Path:
    """Derive summary.json and report.html from a run's committed journal."""
    folder = RunFolder(path)
    try:
        state, events = folder.read_state(), committed_events(folder)
        last = folder.folder(state.last) if state.last else path
        folder.write_derived(state, derived.summary_file(path, events) | derived.report_file(path, events, last))
    finally:
        folder.release()
    return path / "report.html"


def _build(checked: recipe.Recipe, device: str, data: Path | None, beside: Path, allow_code: bool) -> Domain:
    """Build the domain offline, unless the recipe names a hub id; data are sought in `--data`, `$SLEEPWAKE_DATA`, beside the recipe."""
    if not _names_hub(recipe.resolved(checked)):
        os.environ["HF_HUB_OFFLINE"] = "1"
    environment = os.environ.get("SLEEPWAKE_DATA")
    places = (data, Path(environment) if environment else None, beside)
    return domains.build(checked, device, tuple(place for place in places if place is not None), allow_code)


def _names_hub(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.get("type") == "hub" or bool(value.get("hub")) or any(_names_hub(inner) for inner in value.values())
    return isinstance(value, list) and any(_names_hub(inner) for inner in value)


def is_finished(folder: RunFolder) -> bool:
    """Whether every decision of the run has been carried out, and its last commit is whole."""
    state, damaged = folder.recover()
    events = read(folder.path / "journal.jsonl", state.journal_bytes)
    return not damaged and any(event["event"] == "finished" for event in events)


def committed(path: Path) -> list[dict[str, Any]]:
    """The journal of a run as far as it counts."""
    folder = RunFolder(path)
    try:
        return committed_events(folder)
    finally:
        folder.release()


def status(path: Path, verify: bool) -> tuple[dict[str, Any], list[str]]:
    """A run's summary, and with `verify` what is damaged, one line each.

    Raises:
        DamagedRunError: state.json, recipe.json or the journal is damaged.
    """
    folder = RunFolder(path)
    try:
        damaged = folder.verify() if verify else []
        state = folder.read_state()
        if wrong := folder.journal_damage(state.journal_bytes, state.journal_sha256):
            raise DamagedRunError("\n".join(wrong), f"go on from the last whole commit: sleepwake resume {path}")
        return derived.summary(path, committed_events(folder)), damaged
    finally:
        folder.release()


def score_again(opened: Session) -> list[tuple[str, float | None, float | None]]:
    """Score the newest commit whose scores are in the journal: test, score now, score in the journal."""
    folder, domain = opened.folder, opened.domain
    try:
        state, _ = folder.recover()
        events = read(folder.path / "journal.jsonl", state.journal_bytes)
        scored = {e["step"]: e for e in events if e["event"] == "evaluated" and e["what"] == "scores" and e["when"] != "initial"}
        commit = next((c for c in reversed(state.commits) if c.step in scored), None)
        if commit is None:
            raise RunFolderError(f"{folder.path} has no scored commit yet", f"go on with it: sleepwake resume {folder.path}")
        mind = domain.mind()
        mind.load(folder.folder(commit))
        now = domain.evaluate(mind, scored[commit.step]["day"] + 1, opened.recipe.evaluate.tests)
        return list(zip(domain.tests, now, scored[commit.step]["scores"], strict=True))
    finally:
        folder.release()


def measure_boundary(opened: Session, problems: int, samples: int, to: int | None = None) -> dict[str, Any]:
    """Sample problems of all levels (up to `to`) before the nights and after them, for journal, summary and report.

    Raises:
        RunFolderError: the run has no levels, or hasn't slept yet.
    """
    folder, domain = opened.folder, opened.domain
    try:
        state, _ = folder.recover()
        dusks = [commit for commit in state.commits if commit.name.endswith("-wake")]
        if not dusks or state.last is None or state.last == dusks[0]:
            raise RunFolderError(f"{folder.path} has no night to measure", f"go on with it: sleepwake resume {folder.path}")
        minds = []
        for commit in (*dusks, state.last):
            minds.append(domain.mind())
            minds[-1].load(folder.folder(commit))
        found = dict(domain.reach(minds[:-1], minds[-1], problems, samples, to))
        if not found:
            raise RunFolderError(f"{folder.path} is a run without levels", "leave --boundary out")
        note_end(folder, lambda _: None, "measured", {"boundary": found})
        return found
    finally:
        folder.release()
