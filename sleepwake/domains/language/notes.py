"""Skills as text (Ctx2Skill, arXiv 2604.27660): by night a chat model edits notes to itself, and trains nothing.

The reasoner's notes stand before every problem and are edited after failures; the challenger's stand before the problems that it writes and
are edited where everything was too easy. Neither side sees the other's. Notes that are edited on and on get worse, so at the end of
the night all of them are replayed on the hardest and the easiest problem of every round, and those with the largest rho_h x rho_e stay.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sleepwake.domains.language import consolidation_settings, rehearsal_settings
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Line, Problem, ProblemWeight
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

PROPOSE = {
    "reasoner": "This answer is wrong. What should the notes say?\n\nNotes: {notes}\nProblem: {problem}\nAnswer: {answer}",
    "challenger": "This problem was too easy. What should the notes say?\n\nNotes: {notes}\nProblem: {problem}\nAnswer: {answer}",
}
WRITE = "Write the new notes.\n\nNotes: {notes}\nChange: {change}"
Notes = dict[str, dict[str, str]]
"""By side and family."""


def standing(learner: TextLearner) -> Notes:
    """The notes as they stand."""
    return {"reasoner": dict(learner.contexts), "challenger": dict(learner.leads)}


def put(learner: TextLearner, notes: Notes) -> None:
    """Let notes stand."""
    learner.contexts, learner.leads = dict(notes["reasoner"]), dict(notes["challenger"])


class Edit:
    """A round: two calls a side and family, one that proposes a change and one that writes the notes anew."""

    def __init__(self, chosen: rehearsal_settings.Notes, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings = chosen

    def rehearse(
        self, mind: Mind, dusk: Callable[[], Mind], material: Batch, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Batch, Verdicts, Facts]:
        """Edit; the material and its verdicts come back as they were."""
        assert verdicts is not None
        learner, edited = mind.learner, 0
        if "scores" in learner.notebook:  # an earlier night's, closed
            learner.notebook = {}
        book = learner.notebook
        book.setdefault("rounds", [standing(learner)])
        for family in learner.known:
            failed, easy = self._cases(family, material, verdicts)
            for side, kind, cases, notes in (
                ("reasoner", "hard", failed, learner.contexts),
                ("challenger", "easy", easy, learner.leads),
            ):
                if cases:
                    book.setdefault(kind, []).append(list(cases[0].problem))
                    new = self._edited(learner, side, notes.get(family, ""), cases[0], derive(seed, family, side))
                    edited += new != notes.get(family, "")
                    notes[family] = new
        book["rounds"].append(standing(learner))
        sizes = {kind: len(book.get(kind, ())) for kind in ("hard", "easy")}
        return material, verdicts, {"edited": edited, "notes": standing(learner), **sizes}

    def _cases(self, family: str, material: Batch, verdicts: Verdicts) -> tuple[list[Line], list[Line]]:
        """Lines with no accepted attempt, worst first; lines all of whose attempts were as good, best first."""
        failed, easy = [], []
        for problem, places in material.by_problem().items():
            if problem.family != family:
                continue
            best = max(places, key=lambda at: verdicts.rewards[at] or 0.0)
            reward = verdicts.rewards[best] or 0.0
            if not verdicts.accepted[best]:
                failed.append((reward, material.lines[best]))
            elif len(places) == 1:  # all attempts say the same, and it is right
                easy.append((reward, material.lines[best]))
        worst, best_first = sorted(failed, key=itemgetter(0)), sorted(easy, key=itemgetter(0), reverse=True)
        return [line for _, line in worst], [line for _, line in best_first]

    def _edited(self, learner: TextLearner, side: str, notes: str, line: Line, seed: int) -> str:
        """New notes; the old ones where what was written is empty or too long."""

        def say(text: str, kind: str) -> str:
            ((said,),) = learner.say([learner.codec.prompt("", text)], (self.settings.temperature,), derive(seed, kind))
            return said.strip()

        change = say(PROPOSE[side].format(notes=notes.strip(), problem=line.problem.text, answer=line.answer), "propose")
        new = say(WRITE.format(notes=notes.strip(), change=change), "write")
        return f"{new}\n" if 0 < len(new) <= self.settings.longest else notes


def rho(passed: int, asked: int) -> float:
    """(passed + 1) / (asked + 1): never 0, so that one empty set doesn't decide (Ctx2Skill, cross-time replay)."""
    return (passed + 1) / (asked + 1)


class Replay:
    """The end of a night of notes: every round's are tried on the same hard and easy problems, and the best stay."""

    def __init__(self, chosen: consolidation_settings.Replay, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings = chosen

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Choose; reports rho_h, rho_e and their product for every round's notes, and which were chosen."""
        learner = mind.learner
        book: dict[str, Any] = learner.notebook
        if not book or "scores" in book:
            return {"skipped": "no notes were written"}
        mind.judge.ask(dusk.learner)
        scores = []
        for notes in book["rounds"]:
            put(learner, notes)
            hard, easy = (
                self._passed(mind, [Problem(*one) for one in book.get(kind, ())], derive(seed, kind)) for kind in ("hard", "easy")
            )
            scores.append({"hard": round(rho(*hard), 6), "easy": round(rho(*easy), 6), "product": round(rho(*hard) * rho(*easy), 6)})
        best = max(range(len(scores)), key=lambda at: scores[at]["product"])
        put(learner, book["rounds"][best])
        book["scores"] = scores
        return {"rounds": scores, "chosen": best, "notes": standing(learner)}

    def _passed(self, mind: Mind, problems: Sequence[Problem], seed: int) -> tuple[int, int]:
        """How many greedy answers the judge accepts, of how many."""
        if not problems:
            return 0, 0
        lines = Batch(tuple(Line(problem, said) for problem, said in zip(problems, mind.learner.answer(problems), strict=True)))
        rewards = mind.judge.scores(lines, seed)
        return sum((reward or 0.0) >= mind.judge.threshold for reward in rewards), len(problems)
