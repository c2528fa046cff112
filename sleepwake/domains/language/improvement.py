"""Dreams are worth what training on them improves (SEAL, arXiv 2506.10943; Sleep, arXiv 2606.03979, stage 2).

Groups of dreams are tried one by one: an isolated copy of the learner trains on a group for a few steps, and is asked for lines that were
held back from all groups. Groups after which these have become likelier are kept, and training on them, problems included, makes the
model write more of the kind (ReST-EM).
"""

from collections.abc import Sequence
from random import Random

from sleepwake.domains.language import rehearsal_settings
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.likelihood import chosen as likely
from sleepwake.domains.language.likelihood import over_answers
from sleepwake.domains.language.problems import Line
from sleepwake.records import Facts
from sleepwake.seeds import seed as derive

HELD = 0.2
"""Share of the dreams that is held back to see what training on the others improves."""


def improving(
    learner: TextLearner, dreams: Sequence[Line], known: Sequence[Line], chosen: rehearsal_settings.Tried, rate: float, seed: int
) -> tuple[list[Line], Facts]:
    """The dreams of groups that paid and those held back, in order; where none paid, none.

    Args:
        learner: stays as it is.
        dreams: accepted lines.
        known: what must not be lost: half of what a copy is asked for.
        chosen: groups, steps, batch.
        rate: peak learning rate.
        seed: of the draws.

    Returns:
        lines; the share of the groups that paid, and what trying them used.
    """
    order = list(range(len(dreams)))
    Random(derive(seed, "order")).shuffle(order)
    held, rest = order[: max(1, round(HELD * len(order)))], order[max(1, round(HELD * len(order))) :]
    asked = [dreams[at] for at in held]
    asked += Random(derive(seed, "known")).choices(known, k=len(asked)) if known else []
    before, paid = _mean(learner, asked), list[int]()
    groups = [rest[place :: chosen.groups] for place in range(chosen.groups) if rest[place :: chosen.groups]]
    good, used = 0, {"samples": 0, "tokens": 0}
    for place, group in enumerate(groups):
        twin, lines = learner.copy(), [dreams[at] for at in group]
        twin.train_only(fast=True)
        draws = Random(derive(seed, "group", place))
        batches = [draws.choices(lines, k=chosen.batch) for _ in range(chosen.steps)]
        facts = twin.practise(batches.__getitem__, chosen.steps, rate, 1, 0.0)
        used = {unit: so_far + facts[unit] for unit, so_far in used.items()}
        if _mean(twin, asked) > before:
            good += 1
            paid += group
    kept = [dreams[at] for at in sorted([*paid, *held])] if paid else []
    return kept, {"paid": round(good / max(1, len(groups)), 6), **used}


def _mean(learner: TextLearner, lines: Sequence[Line]) -> float:
    means = over_answers(learner, lines, likely)
    return sum(means) / len(means)
