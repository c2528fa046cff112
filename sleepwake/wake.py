"""Wake: learn one task by day, from its data and replay."""

from dataclasses import replace

from sleepwake import morning
from sleepwake.phase import Phase
from sleepwake.records import Look, Probe, Progress, Task
from sleepwake.roles import Mind


def run_wake(phase: Phase) -> Progress:
    """One day: open the task, evaluate ahead, learn it beside replay, fit the dreamer, measure what older tasks lost."""
    mind, domain, progress = phase.mind, phase.domain, phase.progress
    task: Task = domain.tasks[progress.day]
    phase.call(mind.probes.draw, mind, phase.seed("probe", "dreamer"))
    dawn = phase.call(mind.probes.score, mind.learner, phase.seed("probe", "before"))
    examples = phase.call(mind.probes.keep, task, phase.call(domain.examples, task), phase.seed("wake", "probes"))
    phase.call(mind.learner.open, task, phase.seed("open", "learner"), examples)
    evaluate_ahead(phase, task)

    replay = phase.call(mind.memory.source, mind, task, examples, phase.seed("wake", "memory"))
    learned = phase.call(mind.learner.learn, task, examples, replay, phase.seed("wake", "learner"), looking(phase))
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


def evaluate_ahead(phase: Phase, task: Task) -> None:
    """Score the opened task before it is learned; in audits an untrained mind with the same rows too, the baseline of forward transfer."""
    domain = phase.domain
    with domain.guard.audit():
        ahead = phase.call(domain.ahead, phase.mind, task)
        untrained = phase.call(domain.ahead, phase.call(untrained_mind, phase, task), task) if phase.recipe.evaluate.audit else {}
    phase.note("evaluated", what="ahead", ahead=ahead, untrained=untrained)


def untrained_mind(phase: Phase, task: Task) -> Mind:
    """A fresh mind that has opened the tasks up to this one and learned none."""
    fresh = phase.domain.mind()
    for earlier in phase.domain.tasks[: task.index]:
        fresh.learner.open(earlier, phase.seed("open", earlier.name))
    fresh.learner.open(task, phase.seed("open", "learner"))
    return fresh


def looking(phase: Phase) -> Look | None:
    """What scores the tests while the day's task is being learned; None where the recipe doesn't ask for it."""
    asked, domain = phase.recipe.evaluate, phase.domain
    if not asked.within:
        return None

    def look(iteration: int) -> None:
        if iteration % asked.within:
            return
        with domain.guard.audit():
            scores = domain.evaluate(phase.mind, phase.progress.day + 1, asked.tests)
        phase.note("evaluated", what="curve", iteration=iteration, scores=scores)

    return look


def decay(dawn: tuple[Probe, ...], dusk: tuple[Probe, ...]) -> float:
    """Mean fall of the probes of older tasks over a day, in [0, 1]."""
    now = {probe.task: probe.score for probe in dusk}
    falls = [max(0.0, probe.score - now[probe.task]) for probe in dawn if probe.n]
    return sum(falls) / len(falls) if falls else 0.0
