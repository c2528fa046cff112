"""Morning: the gate after a night. Accept it if nothing that was known has been lost; otherwise roll back to dusk."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

from sleepwake.phase import Phase
from sleepwake.records import Probe, Progress
from sleepwake.roles import Mind


@dataclass(frozen=True)
class Gate:
    """The gate's word: accepted or not, and why."""

    accepted: bool
    reason: str


def allowance(before: Probe, tolerance: float) -> float:
    """How far a task's score may fall: max(tolerance, two standard errors of a share p of n probes)."""
    error = sqrt(before.score * (1 - before.score) / before.n) if before.n else 0.0
    return max(tolerance, 2 * error)


def gate(before: Sequence[Probe], after: Sequence[Probe], tolerance: float) -> Gate:
    """Accept if for every task after >= before - max(tolerance, 2 sqrt(p (1 - p) / n))."""
    now = {probe.task: probe.score for probe in after}
    assert set(now) == {probe.task for probe in before}, "the same probes are scored before and after"
    if not before:
        return Gate(True, "no probes to lose")

    def told(p: Probe) -> str:
        return f"{p.task} {p.score:.3f} -> {now[p.task]:.3f} (may lose {allowance(p, tolerance):.3f})"

    if fell := [p for p in before if now[p.task] < p.score - allowance(p, tolerance) - 1e-9]:
        return Gate(False, f"lost: {', '.join(map(told, fell))}")
    most = max(before, key=lambda p: p.score - now[p.task])
    if now[most.task] >= most.score:
        return Gate(True, "no probe fell")
    return Gate(True, f"no probe fell further than it may: {told(most)}")


RARE = 0.02
"""A share below this at dusk is not watched: of a few hundred answers it comes and goes by chance."""


def watched(word: Gate, before: Mapping[str, float], after: Mapping[str, float], floors: Mapping[str, float]) -> Gate:
    """The gate's word, or no where a monitor keeps less of its value at dusk than its floor; "format:x" has the floor of "format"."""
    kinds = {name: name.partition(":")[0] for name, value in before.items() if value >= RARE}
    least = {name: floors[kind] * before[name] for name, kind in kinds.items() if kind in floors}
    fell = [name for name, value in least.items() if after.get(name, 0.0) < value - 1e-9]
    if not fell:
        return word
    told = ", ".join(f"{name} {before[name]:.3f} -> {after.get(name, 0.0):.3f} (floor {least[name]:.3f})" for name in fell)
    return Gate(False, f"collapsed: {told}" if word.accepted else f"{word.reason}; collapsed: {told}")


def look(phase: Phase) -> dict[str, float]:
    """How diverse the mind is now; measured only where the recipe sets floors."""
    if not phase.recipe.morning.floors:
        return {}
    told: dict[str, float] = phase.call(phase.domain.monitors, phase.mind, phase.seed("probe", "monitors"))
    return told


def plain(probes: Sequence[Probe]) -> list[dict[str, Any]]:
    """Probes as JSON."""
    return [asdict(probe) | {"score": round(probe.score, 6)} for probe in probes]


def monitored(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Any]:
    """Monitors for the journal; nothing where none are watched."""
    return {"monitors": {"before": dict(before), "after": dict(after)}} if before else {}


def level(mind: Mind) -> float:
    """The challenger's mean level."""
    levels = list(mind.challenger.level().values())
    return sum(levels) / len(levels) if levels else 0.0


def run_morning(phase: Phase) -> Progress:
    """Probe, decide, roll back if something was lost, then evaluate.

    A rollback restores learner, dreamer, challenger and judge to dusk; the count of rollbacks, which halves the rate, stays.
    """
    mind, progress, recipe = phase.mind, phase.progress, phase.recipe
    with phase.domain.guard.night():
        after, monitors = phase.call(mind.probes.score, mind.learner, phase.seed("probe", "after")), look(phase)
    word = watched(gate(progress.before, after, recipe.morning.tolerance), progress.monitors, monitors, recipe.morning.floors)
    slept = _tests(phase)
    phase.note("gated", kind="morning", accepted=word.accepted, reason=word.reason, before=plain(progress.before), after=plain(after),
               **monitored(progress.monitors, monitors))  # fmt: skip
    if not word.accepted:
        with phase.watch():
            mind.load(phase.commits[progress.dusk], but=("probes",))
    if recipe.evaluate.audit:
        _audit_gate(phase, slept, word.accepted)
    evaluate(phase, "morning", progress.day)
    return replace(progress, rollbacks=progress.rollbacks + (not word.accepted), rounds=(), rose=progress.rose if word.accepted else None,
                   learned_by_night=0.0, exhausted=False)  # fmt: skip


def _tests(phase: Phase, mind: Any = None) -> list[float]:
    """Audited test scores of the tasks learned so far; empty where audits are off."""
    if not phase.recipe.evaluate.audit:
        return []
    with phase.domain.guard.audit():
        scores = phase.call(phase.domain.evaluate, mind or phase.mind, phase.progress.day, "seen")
    return [score for score in scores if score is not None]


def _audit_gate(phase: Phase, slept: list[float], accepted: bool) -> None:
    """Would real test data have decided alike? Reported, never used."""
    with phase.watch():
        dusk = phase.dusk()
    before = [Probe(str(i), score, n) for i, (score, n) in enumerate(zip(_tests(phase, dusk), phase.domain.test_sizes, strict=False))]
    after = [Probe(str(i), score, 0) for i, score in enumerate(slept)]
    truth = gate(before, after, phase.recipe.morning.tolerance).accepted
    phase.note("evaluated", what="gate", agrees=truth == accepted)


def evaluate(phase: Phase, when: str, seen: int) -> list[float | None]:
    """Score the mind on the tests of the tasks seen, and audit its frontier; journal both."""
    recipe, domain, mind = phase.recipe, phase.domain, phase.mind
    with domain.guard.audit():
        scope = "all" if when == "initial" else recipe.evaluate.tests
        scores: list[float | None] = phase.call(domain.evaluate, mind, seen, scope)
        phase.note("evaluated", what="scores", when=when, scores=scores)
        frontier = phase.call(domain.frontier, mind) if recipe.evaluate.audit and when != "initial" else {}
        drawn = phase.call(domain.fidelity, mind, recipe.evaluate.draws) if recipe.evaluate.draws and when == "wake" else {}
    if frontier:
        phase.note("evaluated", what="frontier", when=when, frontier=frontier)
    if drawn:
        phase.note("evaluated", what="draws", **drawn)
    return scores
