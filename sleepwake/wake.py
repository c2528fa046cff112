"""Wake: learn one task by day, from its data and replay."""

from dataclasses import replace

from sleepwake import morning
from sleepwake.phase import Phase
from sleepwake.records import Probe, Progress, Task


def run_wake(phase: Phase) -> Progress:
    """One day: open the task, evaluate ahead, learn it beside replay, fit the dreamer, measure what older tasks lost."""
    mind, domain, progress = phase.mind, phase.domain, phase.progress
    task: Task = domain.tasks[progress.day]
    phase.call(mind.probes.draw, mind, phase.seed("probe", "dreamer"))
    dawn = phase.call(mind.probes.score, mind.learner, phase.seed("probe", "before"))
    examples = phase.call(mind.probes.keep, task, phase.call(domain.examples, task), phase.seed("wake", "probes"))
    phase.call(mind.learner.open, task, phase.seed("open", "learner"))
    with domain.guard.audit():
        ahead = phase.call(domain.ahead, mind, task)
    phase.note("evaluated", what="ahead", ahead=ahead)

    replay = phase.call(mind.memory.source, mind, task, examples, phase.seed("wake", "memory"))
    learned = phase.call(mind.learner.learn, task, examples, replay, phase.seed("wake", "learner"))
    judged = phase.call(mind.judge.learn, task, examples, replay, phase.seed("wake", "judge"))
    fitted = phase.call(mind.dreamer.fit, task, examples, replay, mind.learner, phase.seed("wake", "dreamer"))
    stored = phase.call(mind.memory.store, mind, task, examples, phase.seed("wake", "store"))
    phase.note("woke", task=task.name, facts={"learn": learned, "judge": judged, "fit": fitted, "store": stored})

    dusk = phase.call(mind.probes.score, mind.learner, phase.seed("probe", "after"))
    morning.evaluate(phase, "wake", progress.day + 1)
    for facts in (learned, judged, fitted):
        progress = progress.spend(facts)
    gained = float(learned.get("learned", 0.0))
    return replace(progress, day=progress.day + 1, night=0, round=0, learned=gained, decay=decay(dawn, dusk))


def decay(dawn: tuple[Probe, ...], dusk: tuple[Probe, ...]) -> float:
    """Mean fall of the probes of older tasks over a day, in [0, 1]."""
    now = {probe.task: probe.score for probe in dusk}
    falls = [max(0.0, probe.score - now[probe.task]) for probe in dawn if probe.n]
    return sum(falls) / len(falls) if falls else 0.0
