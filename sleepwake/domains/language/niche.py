"""The guard of formats: reinforcement learning may make answers right, and no way of writing them commoner."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from sleepwake.diversity import shares
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Problem

Shares = Mapping[str, Mapping[str, float]]
"""Of each format among the well-formed answers, by family."""
RARE = 0.01
"""Added to both shares of a ratio, so that a format that is all but gone, or was never there, doesn't outweigh all others."""


def form(families: Mapping[str, Family], problem: Problem, answer: str) -> str:
    """The format of an answer; empty where it is malformed."""
    family = families[problem.family]
    return family.form(answer) if family.answer_formed(answer) else ""


def by_family(problems: Sequence[Problem], forms: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares of the formats among the well-formed answers to each family's problems."""
    told: dict[str, list[str]] = {}
    for problem, name in zip(problems, forms, strict=True):
        if name:
            told.setdefault(problem.family, []).append(name)
    return {family: {name: round(value, 4) for name, value in shares(names).items()} for family, names in told.items()}


def sampled_shares(
    learner: TextLearner, problems: Sequence[Problem], attempts: int, temperature: float, seed: int
) -> dict[str, dict[str, float]]:
    """The shares in which a learner's sampled answers to problems are written."""
    asked = list(dict.fromkeys(problems))
    answers = learner.attempt(asked, (temperature,) * attempts, seed)
    forms = [form(learner.families, problem, answer) for problem, given in zip(asked, answers, strict=True) for answer in given]
    return by_family([problem for problem in asked for _ in range(attempts)], forms)


def guarded(
    problems: Sequence[Problem], forms: Sequence[str], rewards: Sequence[float | None], now: Shares, usual: Shares, weight: float
) -> list[float | None]:
    """Rewards that favour no format.

    An attempt is measured by the mean of those at its problem that are written alike: a format that is right more often gains nothing by
    it, and one that is hardly ever right loses nothing. Noise alone still moves shares, so what is rarer than usual earns more: weight x
    log(usual share / share now), whose mean over a policy's attempts is minus the KL divergence of its formats from the usual ones.

    Args:
        problems: one for each attempt.
        forms: the attempts' formats, empty for malformed ones.
        rewards: None where the judge abstains.
        now: shares among these attempts, as `by_family` counts them.
        usual: dusk's shares.
        weight: of the divergence.

    Returns:
        Of well-formed attempts the reward, less its format's mean at the problem, plus the mean of all formats, plus the pull to usual
        shares; others as they were.
    """
    alike: dict[tuple[Problem, str], list[float]] = {}
    for problem, name, reward in zip(problems, forms, rewards, strict=True):
        if name and reward is not None:
            alike.setdefault((problem, name), []).append(reward)
            alike.setdefault((problem, ""), []).append(reward)
    means = {place: fmean(values) for place, values in alike.items()}

    def pull(family: str, name: str) -> float:
        return weight * math.log((usual.get(family, {}).get(name, 0.0) + RARE) / (now[family][name] + RARE))

    return [
        reward - means[problem, name] + means[problem, ""] + pull(problem.family, name) if name and reward is not None else reward
        for problem, name, reward in zip(problems, forms, rewards, strict=True)
    ]
