"""The agent's loop: observe, decide, act, record. Order, commit, journal, and nothing else.

Every phase, in an unbroken run too, gets a fresh mind that is loaded from the last commit; so a run that was killed and resumed
is the run that was not.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sleepwake import derived, policy
from sleepwake.checkpoint import RunFolder
from sleepwake.journal import Event, Journal, Tell
from sleepwake.morning import evaluate, run_morning
from sleepwake.phase import Phase
from sleepwake.recipe import Recipe
from sleepwake.records import Decision, Progress
from sleepwake.roles import Domain
from sleepwake.sleep.night import run_consolidate, run_round
from sleepwake.wake import run_wake

PHASES: dict[str, Callable[[Phase], Progress]] = {
    "wake": run_wake, "round": run_round, "consolidate": run_consolidate, "morning": run_morning,
}  # fmt: skip


class Orchestrator:
    """One run in this process, from wherever its folder stands."""

    def __init__(self, folder: RunFolder, recipe: Recipe, domain: Domain, tell: Tell, startup_s: float) -> None:
        """Find the last whole commit, cut the journal to it, and note how the session began."""
        self.folder, self.recipe, self.domain, self.since = folder, recipe, domain, time.perf_counter()
        self.state, damaged = folder.recover()
        folder.sweep_out(self.state)
        self.journal = Journal(folder.path / "journal.jsonl", self.state.journal_bytes, tell)
        last = self.state.last
        self.progress = Progress.parse(json.loads((folder.folder(last) / "progress.json").read_text())) if last else Progress()
        if damaged:
            self.session("recovered", timing={"damaged": damaged})
        if not any(event["event"] == "started" for event in self.journal.events):  # it may have been interrupted before
            self._start(startup_s)
        elif not self.finished:
            self.session("resumed", timing={"startup_s": startup_s})

    @property
    def finished(self) -> bool:
        """True once every decision has been carried out."""
        return any(event["event"] == "finished" for event in self.journal.events)

    def run(self, steps: int | None = None, only: str = "") -> None:
        """Observe, decide, act, record: to the end, for so many steps, or one step of the kind that is asked for."""
        done = 0
        while not self.finished and (steps is None or done < steps):
            plan = self.recipe.plan(len(self.domain.tasks))
            decision = policy.decide(self.recipe.policy, self.progress, plan)
            decision = policy.ask(only, decision, self.progress, plan)
            self._finish(decision) if decision.action == "stop" else self._act(decision)
            done += 1

    def _act(self, decision: Decision) -> None:
        """One phase, from a fresh mind to a commit."""
        closing = "consolidate" if self.recipe.consolidates and self.progress.phase == "round" else "morning"
        name = closing if decision.action == "close" else decision.action
        note = self.journal.at(self.progress.place(name))
        note("decided", **decision.plain())
        commits = {commit.step: self.folder.folder(commit) for commit in self.state.commits}
        phase = Phase(name, self.recipe, self.domain, self.progress, commits, self.folder.aside(), note)
        if self.progress.step:
            phase.call(phase.mind.load, phase.commit)
        progress = replace(PHASES[name](phase), step=phase.step, phase=name, pressure=decision.pressure)
        phase.save(progress)
        self._commit(phase, progress)

    def _commit(self, phase: Phase, progress: Progress) -> None:
        """Seal the folder, then the journal, then the state: only then does the phase count."""
        commit = self.folder.seal(phase.step, phase.name, self.state)
        seconds, self.since = time.perf_counter() - self.since, time.perf_counter()
        metrics = {role: dict(part.metrics()) for role, part in phase.mind.parts().items()}
        phase.note("committed", metrics=metrics, timing={"seconds": seconds, "roles_s": phase.watch.total})
        dusks = [commit.step for commit in self.state.commits if commit.name.endswith("-wake")]
        self.state = self.folder.count(commit, self.journal.sync(), self.state, (progress.dusk, *dusks))
        self.progress = progress
        self._record()

    def _start(self, startup_s: float) -> None:
        """Note what is about to run, and what an untrained mind scores."""
        note, domain = self.journal.at({"step": 0}), self.domain
        note("started", recipe=self.recipe.name, domain=self.recipe.domain.type, seed=self.recipe.seed, metric=domain.metric,
             labels=domain.labels, tasks=[task.name for task in domain.tasks], tests=list(domain.tests),
             task_parts=[list(task.parts) for task in domain.tasks], test_sizes=list(domain.test_sizes),
             timing={"startup_s": startup_s})  # fmt: skip
        evaluate(Phase("", self.recipe, domain, self.progress, {}, self.folder.path, note), "initial", 0)
        self._record()

    def _finish(self, decision: Decision) -> None:
        note = self.journal.at({"step": self.progress.step, "day": self.progress.day - 1})
        note("decided", **decision.plain())
        note("finished", reason=decision.reason)
        self._record()

    def session(self, event: Event, **data: Any) -> None:
        """Note what befell this session; it counts at once, and shifts nothing that the run itself notes."""
        self.journal.at({"step": self.progress.step})(event, **data)
        self._record()

    def _record(self) -> None:
        """Make the journal count as it stands, and write what is derived from it."""
        length, hashed = self.journal.sync()
        self.state = replace(self.state, journal_bytes=length, journal_sha256=hashed)
        self.state = self.folder.write_derived(self.state, derived.summary_file(self.folder.path, self.journal.events))
