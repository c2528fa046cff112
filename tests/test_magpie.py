"""MAGPIE with a fitted chat model: what is asked of the model, which questions are kept, and what is told of them."""

import re
from collections import Counter
from pathlib import Path
from random import Random

import chat_models
import pytest
from chat_models import learner
from pydantic import ValidationError

from sleepwake.domains.language import settings
from sleepwake.domains.language.asking import shares, yes
from sleepwake.domains.language.magpie import Magpie, grams, likeness
from sleepwake.domains.language.pretrained import PretrainedLearner
from sleepwake.domains.language.problems import Challenge, Line, Problem
from sleepwake.domains.language.questions import Questions


@pytest.fixture(scope="module")
def folder() -> Path:
    return chat_models.fitted()


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return chat_models.sums(tmp_path_factory.mktemp("sums"))


def magpie(sums: Questions, **said: object) -> Magpie:
    chosen = {"type": "magpie", "pool": 60, "attempts": 0, "shortest": 10, "alike": 1.0, **said}
    return Magpie(settings.Magpie.model_validate(chosen), {"sums": sums}, 40)


def test_words_are_weighed(folder: Path, sums: Questions) -> None:
    one = learner(folder, sums)
    (row,) = shares(one, [one.codec.prompt("", "What is 1 plus 8?")], ("It is 2.", "It is 0.", "It is 9."))
    assert sum(row) == pytest.approx(1.0)
    assert row[2] > 0.9, "of three answers the one it learned"
    assert yes(one, []) == []


def test_likeness_of_texts() -> None:
    assert likeness(grams("a b c d"), grams("a b c d")) == 1.0
    assert likeness(grams("a b c d"), grams("a b c e")) == pytest.approx(1 / 3)
    assert likeness(grams("hi"), grams("ho")) == 0.0
    assert likeness(grams("What is 3 plus 4?"), grams("What is 3 plus 5?")) == 0.5, "what is 3, is 3 plus; two of four"
    assert likeness(grams("What is 3 plus 4?"), grams("What is 2 plus 4?")) == 0.0


def test_questions_are_new_well_formed_and_remembered(folder: Path, sums: Questions, tmp_path: Path) -> None:
    chosen = settings.Magpie(type="magpie", pool=60, attempts=2, shortest=10, alike=1.0, archive=1000)
    one, dreamer = learner(folder, sums), Magpie(chosen, {"sums": sums}, 40)
    first = dreamer.dream((Challenge("sums", 1, 12),), one, 1)
    texts = [problem.text for problem in first.by_problem()]
    assert len(set(texts)) == len(texts) == 12
    assert all(len(text) >= 10 and sums.well_formed(text) for text in texts)
    counts = dreamer.filtered["sums"]
    assert counts["written"] == 60 >= counts["formed"] >= counts["good"] >= counts["kept"] == 12
    again = {problem.text for problem in dreamer.dream((Challenge("sums", 1, 12),), one, 1).by_problem()}
    assert not again & set(texts), "the archive keeps what was asked before from being asked again"
    dreamer.save(tmp_path)
    unsure = Magpie(chosen.model_copy(update={"uncertain": 0.5, "attempts": 8, "temperature": 1.5}), {"sums": sums}, 40)
    few = unsure.dream((Challenge("sums", 1, 12),), one, 1)
    assert 0 < unsure.filtered["sums"]["uncertain"] == len(few.by_problem()) < unsure.filtered["sums"]["kept"]
    for places in few.by_problem().values():
        said: Counter[str] = Counter()
        for at in places:
            said[sums.value(few.lines[at].answer or "")] += few.lines[at].votes
        assert 2 <= max(said.values()) <= 6, "of eight"
    assert len(unsure.archive["sums"]) == unsure.filtered["sums"]["kept"], "what was too easy isn't written again, either"
    unsure.dream((Challenge("sums", 1, 1, ("What is 1 plus 8?",)),), one, 2)
    assert not unsure.filtered, "of the last round, in which nothing was written"
    with pytest.raises(ValidationError, match="attempts = 8"):
        settings.Magpie(type="magpie", uncertain=0.4, attempts=0)
    other = Magpie(chosen, {"sums": sums}, 40)
    other.load(tmp_path)
    assert other.archive == dreamer.archive


def texts(dreamer: Magpie, one: PretrainedLearner, seed: int = 1) -> list[str]:
    return [line.problem.text for line in dreamer.dream((Challenge("sums", 1, 60),), one, seed).lines]


def test_what_the_model_itself_calls_clear_is_kept(folder: Path, sums: Questions) -> None:
    """It has learned to call those sums clear whose first number is less than five; of what it writes they alone are kept, in order."""
    one, ask = learner(folder, sums, fast="full"), "{question} Clear?"
    asked = [Line(Problem("sums", text), sums.answers[text]) for text in sums.train]
    judged = [(ask.format(question=text), "Yes" if clear(text) else "No") for text in (*sums.train, *sums.test)]
    told = [Line(Problem("sums", text), said) for text, said in judged]

    def draw(step: int) -> list[Line]:
        return [*Random(step).choices(told, k=12), *Random(step).choices(asked, k=4)]

    one.practise(draw, 60, 8e-3, 6, lambda line: float(line in asked))  # so that it still writes sums, and no question for a judgement
    assert [share >= 0.5 for share in yes(one, [text for text, _ in judged])] == [said == "Yes" for _, said in judged]
    written = texts(magpie(sums), one)
    good = [text for text in written if clear(text)]
    assert min(len(good), len(written) - len(good)) >= 10, "there is something to keep and something to leave out"
    dreamer = magpie(sums, quality=0.5, ask=ask)
    assert texts(dreamer, one) == good
    assert dreamer.filtered["sums"]["formed"] == len(written)
    assert dreamer.filtered["sums"]["good"] == dreamer.filtered["sums"]["kept"] == len(good)
    assert texts(magpie(sums, quality=1.0, ask=ask), one) == [], "nothing is quite sure"


def clear(text: str) -> bool:
    return text.removeprefix("What is ")[0] in "01234"


def test_near_copies_are_left_out(folder: Path, sums: Questions) -> None:
    """Sums with the same first number share half of their runs of three words, all others share none."""
    one = learner(folder, sums)
    written = texts(magpie(sums), one)
    assert all(re.fullmatch(r"What is \d plus \d\?", text) for text in written), written
    first = {text[8]: text for text in reversed(written)}
    assert len(written) > len(first) > 5, "by what they begin with"
    dreamer = magpie(sums, alike=0.5)
    dreamer.remember([Problem("sums", "What is 3 plus 4?")])
    assert texts(dreamer, one) == [text for text in written if text == first[text[8]] and text[8] != "3"]
    assert dreamer.filtered["sums"]["kept"] < dreamer.filtered["sums"]["good"] == len(written)
    assert texts(dreamer, one) == [], "what is like what it wrote before is left out, too"
    assert texts(magpie(sums, alike=0.51), one) == written, "half is less than that"


def test_counts_are_of_the_dream(folder: Path, sums: Questions, tmp_path: Path) -> None:
    """Easy questions for rehearsal come after it in a round, and don't change what is told of it."""
    one, dreamer = learner(folder, sums), magpie(sums, attempts=4, temperature=1.5, uncertain=0.5)
    dreamer.dream((Challenge("sums", 1, 20), Challenge("sums", 2, 10)), one, 1)
    counts = dict(dreamer.filtered["sums"])
    assert counts["written"] == 2 * 60, "of both challenges"
    assert counts["kept"] == 20 + 10 == len(set(dreamer.archive["sums"])), "no question twice"
    assert 0 < counts["uncertain"] < counts["kept"]
    assert len(dreamer.answered((Challenge("sums", 1, 5),), one, 2)) == 5
    assert len(dreamer.problems((Challenge("sums", 1, 5),), one, 3)) == 5
    assert dreamer.filtered == {"sums": counts}
    assert dreamer.metrics()["questions"] == {"sums": counts}
    dreamer.save(tmp_path)
    other = magpie(sums)
    other.load(tmp_path)
    assert other.filtered == {"sums": counts}
