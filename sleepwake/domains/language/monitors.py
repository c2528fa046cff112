"""What is watched of a night: how alike problems are, how many formats answers take, and how much too well a judge thinks of errors.

`of_round` and `goodhart` are for the report. `of_mind` is what the gate may look at: it reads nothing but what the mind makes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sleepwake.diversity import distinct_n, dominant_share, effective_formats, format_entropy, self_bleu, vendi
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

COMPARED = 48
"""Problems that are compared with each other."""
WRITTEN = 400
"""Problems a family that are written and answered to see formats: a share of a fifth is then known to two hundredths."""


def goodhart(material: Batch, verdicts: Verdicts, right: Sequence[bool]) -> float | None:
    """How much better the judge thinks of each problem's best attempt than it deserves: its mean reward minus the share that is right.

    None where no problem was judged. A judge that is right earns 0; one that is sure of errors nears 1.
    """
    best = [max(positions, key=lambda at: verdicts.rewards[at] or 0.0) for positions in material.by_problem().values()]
    told = [(reward, right[at]) for at in best if (reward := verdicts.rewards[at]) is not None]
    return round(sum(reward - good for reward, good in told) / len(told), 6) if told else None


def of_judge(metrics: Facts) -> Facts:
    """What a judge that compares tells of its own comparisons, or of a member's; nothing of other judges."""
    told: Facts = next((one for one in (metrics, *metrics.get("members", ())) if "flips" in one), {})
    return {name: told[name] for name in ("flips", "cycles", "length_bias") if name in told}


def alike(texts: Sequence[str]) -> dict[str, float]:
    """Different 3-grams, self-BLEU and Vendi score of texts; nothing of fewer than two."""
    return {"distinct_3": distinct_n(texts, 3), "self_bleu": self_bleu(texts), "vendi": vendi(texts)} if len(texts) > 1 else {}


def of_round(material: Batch, families: Mapping[str, Family]) -> Facts:
    """How alike the first few problems of a round are, and in what formats they are answered."""
    texts = [problem.text for problem in list(material.by_problem())[:COMPARED]]
    told = {name: round(value, 6) for name, value in alike(texts).items()} | {"problems": len(texts)}
    if not (forms := form_shares(material, families)):
        return told
    measures = (format_entropy, effective_formats, dominant_share)
    return {**told, "formats": forms, **{measure.__name__: round(measure(forms), 6) for measure in measures}}


def form_shares(material: Batch, families: Mapping[str, Family]) -> dict[str, float]:
    """In what shares well-formed attempts are written in each format, of the families that have several; nothing where none has."""
    forms = Counter[str]()
    for problem, answer, votes in material.lines:
        family = families[problem.family]
        if answer and len(family.formats) > 1 and family.answer_formed(answer):
            forms[family.form(answer)] += votes
    return {name: round(count / forms.total(), 6) for name, count in forms.most_common()}


def of_mind(mind: Mind, limit: int, seed: int) -> dict[str, float]:
    """How diverse what the mind makes now is, the more the better; changes nothing in it.

    Args:
        mind: its learner writes problems, and answers each once, both at temperature 1.
        limit: most characters of a problem.
        seed: of the draws.

    Returns:
        "distinct_3", "variety" (1 - self-BLEU) and "vendi" of the well-formed problems, each the least over families; where answers have
        formats, "effective_formats" and the share of each, "format:plain" say.
    """
    learner = mind.learner
    told: dict[str, float] = {}
    problems: list[Problem] = []
    for family in learner.known:
        written = learner.write(family, WRITTEN, limit, derive(seed, family))
        texts = [text for text in written if learner.families[family].well_formed(text)]
        problems += [Problem(family, text) for text in texts]
        now = alike(texts[:COMPARED]) or {"distinct_3": 0.0, "self_bleu": 1.0, "vendi": 0.0}
        now["variety"] = 1 - now.pop("self_bleu")
        told = {name: min(value, told.get(name, value)) for name, value in now.items()}
    answers = learner.attempt(problems, (1.0,), derive(seed, "answers"))
    lines = Batch(tuple(Line(problem, answer) for problem, (answer,) in zip(problems, answers, strict=True)))
    if forms := form_shares(lines, learner.families):
        told |= {f"format:{name}": share for name, share in forms.items()} | {"effective_formats": effective_formats(forms)}
    return {name: round(value, 6) for name, value in sorted(told.items())}


def ratio(part: int, whole: int) -> float | None:
    """A share, rounded; None of nothing."""
    return round(part / whole, 6) if whole else None
