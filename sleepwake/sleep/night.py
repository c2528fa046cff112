"""A round of a night, and its consolidation: the stages in the recipe's order, under a closed guard."""

from dataclasses import replace

from sleepwake import morning
from sleepwake.phase import Phase
from sleepwake.records import Probe, Progress, RoundRecord
from sleepwake.sleep import STAGES
from sleepwake.sleep.stage import Work


def run_round(phase: Phase) -> Progress:
    """One round. It is undone, but for its record, if a probe has fallen since dusk: small losses of many rounds must not add up.

    The first round of a night marks dusk: probes are drawn and scored before anything changes.
    """
    mind, progress = phase.mind, phase.progress
    with phase.domain.guard.night():
        if not progress.asleep:
            progress = _fall_asleep(phase)
        phase.call(mind.judge.freeze, phase.commit)
        level, before, work = morning.level(mind), dict(mind.challenger.level()), Work()
        for name in phase.recipe.sleep.stages:
            nothing = work.challenges is not None and not len(work.challenges)
            if name != "consolidate" and not nothing:
                work, progress = _stage(phase, name, work, progress)
            if name == "challenge":
                before = {**mind.challenger.level(), **before}  # what is challenged for the first time has a level from here on
        now = mind.challenger.level()
        rise = sum(now[one] - before.get(one, now[one]) for one in now) / max(1, len(now))
        after, monitors = phase.call(mind.probes.score, mind.learner, phase.seed("probe", "after")), morning.look(phase)
        gate = morning.gate(progress.before, after, phase.recipe.morning.tolerance)
        gate = morning.watched(gate, progress.monitors, monitors, phase.recipe.morning.floors)
        gain = max(_mean(after) - _mean(progress.latest), morning.level(mind) - level, progress.learned_by_night)
        phase.note("gated", kind="round", undone=not gate.accepted, reason=gate.reason,
                   before=morning.plain(progress.before), after=morning.plain(after),
                   **morning.monitored(progress.monitors, monitors))  # fmt: skip
        if not gate.accepted:
            with phase.watch():
                mind.load(phase.commit, but=("probes",))
    if phase.recipe.evaluate.due(phase.step):
        morning.evaluate(phase, "round", progress.day)
    counts = work.verdicts.counts() if work.verdicts else {"judged": 0, "accepted": 0}
    record = RoundRecord(phase.step, counts["judged"], counts["accepted"], not gate.accepted, gain)
    latest, rose = (after, (progress.rose or 0.0) + rise) if gate.accepted else (progress.latest, progress.rose)
    return replace(progress, round=progress.round + 1, rounds=(*progress.rounds, record), latest=latest, rose=rose)


def run_consolidate(phase: Phase) -> Progress:
    """Fold the night's result into the lasting weights."""
    with phase.domain.guard.night():
        return _stage(phase, "consolidate", Work(), phase.progress)[1]


def _fall_asleep(phase: Phase) -> Progress:
    probes, mind = phase.mind.probes, phase.mind
    phase.call(probes.draw, mind, phase.seed("probe", "dreamer"))
    before = phase.call(probes.score, mind.learner, phase.seed("probe", "before"))
    progress = phase.progress
    return replace(progress, night=progress.night + 1, round=0, rounds=(), dusk=progress.step, before=before, latest=before,
                   rose=0.0, monitors=morning.look(phase))  # fmt: skip


def _stage(phase: Phase, name: str, work: Work, progress: Progress) -> tuple[Work, Progress]:
    """Run one stage, journal what it changed, audit verdicts, count what was used."""
    start = phase.watch.total
    work, facts = STAGES[name].run(phase, work)  # type: ignore[index]
    seconds = phase.watch.total - start
    audited = name == ("rehearse" if "rehearse" in phase.recipe.sleep.stages else "judge")  # a trainer may bring verdicts of its own
    shown = _show(phase, work) if name == "judge" else {}
    phase.note("staged", stage=name, seconds=seconds, facts=facts, **shown)
    if audited and work.verdicts is not None and phase.recipe.evaluate.audit:
        with phase.domain.guard.audit():
            audit = phase.call(phase.domain.audit, phase.mind, work.material, work.verdicts)
        phase.note("evaluated", what="judge", **audit)
    if name == "rehearse":
        learned, exhausted = float(facts.get("learned", 0.0)), bool(facts.get("exhausted", False))
        progress = replace(progress, learned_by_night=learned, exhausted=exhausted)
    return work, progress.spend(facts).spend(facts.get("challenger", {}))


def _show(phase: Phase, work: Work) -> dict[str, object]:
    folder = phase.aside / "pictures"
    pictures = phase.call(phase.domain.picture, folder, phase.step, phase.mind, work.material, work.verdicts)
    return {"pictures": pictures, "examples": phase.call(phase.domain.describe, work.material, work.verdicts)}


def _mean(probes: tuple[Probe, ...]) -> float:
    return sum(probe.score for probe in probes) / len(probes) if probes else 0.0
