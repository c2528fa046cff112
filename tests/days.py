"""A day and a round by hand, of either domain; what a folder holds."""

from pathlib import Path
from typing import Any

from sleepwake.records import Verdicts
from sleepwake.roles import Mind


def day(domain: Any, mind: Mind, index: int = 0, seed: int = 1) -> dict[str, Any]:
    """Learn a task, all roles; what the learner tells of it."""
    task = domain.tasks[index]
    rest = mind.probes.keep(task, domain.examples(task), seed)
    mind.learner.open(task, seed, rest)
    replay = mind.memory.source(mind, task, rest, seed)
    facts = mind.learner.learn(task, rest, replay, seed)
    mind.judge.learn(task, rest, replay, seed)
    mind.dreamer.fit(task, rest, replay, mind.learner, seed)
    mind.memory.store(mind, task, rest, seed)
    return dict(facts)


def a_round(domain: Any, mind: Mind, commit: Path, seed: int = 2, dusk: Mind | None = None) -> tuple[Any, Verdicts, dict[str, Any]]:
    """A round from the mind saved in `commit`: its material, verdicts and facts."""
    with domain.guard.night():
        mind.judge.freeze(commit)
        challenges = mind.challenger.propose(mind, seed)
        material = mind.dreamer.dream(challenges, mind.learner, seed)
        verdicts = mind.judge.verdicts(material, seed)
        material, verdicts, facts = domain.rehearsal.rehearse(mind, lambda: dusk or mind, material, verdicts, 1.0, seed)
        mind.challenger.observe(challenges, material, verdicts)
    return material, verdicts, dict(facts)


def saved(mind: Mind, folder: Path) -> Path:
    """The folder, with the mind in it."""
    folder.mkdir()
    mind.save(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
