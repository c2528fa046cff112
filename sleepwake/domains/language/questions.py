"""A family from a set of questions with answers: GSM8K, SVAMP, CLINC150, Banking77, or any file of JSON lines.

It has one level and no relations: which of two answers is right no judge can tell from easier parts of the problem. Of questions that the
model dreams nobody knows the answer, so audits leave them out.
"""

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from sleepwake.domains.language.families import OneFormat
from sleepwake.domains.language.problems import Line
from sleepwake.domains.language.relations import Relation
from sleepwake.domains.language.text_settings import QuestionSet
from sleepwake.domains.paths import find
from sleepwake.errors import DataError
from sleepwake.roles import Guard

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


def read(name: str, chosen: QuestionSet, places: tuple[Path, ...]) -> list[dict[str, Any]]:
    """All rows of a set.

    Raises:
        DataError: it can't be had, or a line is no JSON object.
    """
    if chosen.hub:
        from datasets import load_dataset  # touches the network

        try:
            parts = load_dataset(chosen.hub, chosen.config or None, revision=chosen.revision or None)
        except (OSError, ValueError) as error:
            raise DataError(
                f"stream.sets.{name}: {chosen.hub!r} can't be fetched from the hub: {error}",
                'fetch it where there is a network, and write path = "questions.jsonl"',
            ) from error
        return [{**row, "split": split} for split, rows in parts.items() for row in rows]
    file = find(chosen.path, places)
    opener: Any = gzip.open if file.suffix == ".gz" else open
    rows = []
    try:
        with opener(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                rows.append(dict(json.loads(line)) if line.strip() else {})
    except (OSError, EOFError, ValueError, TypeError) as error:
        wanted = 'lines of UTF-8 text like {"question": "...", "answer": "..."}'
        raise DataError(f"{file}, line {len(rows) + 1}, is no JSON object: {error}", wanted) from error
    return rows


def written(name: str, key: str, template: str, row: Mapping[str, Any], at: int) -> str:
    """A template with the fields of row `at` in it.

    Raises:
        DataError: a field is missing, or null.
    """
    told = {field: value for field, value in row.items() if value is not None}
    try:
        return template.format_map(told)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        fields = ", ".join(f"{{{field}}}" for field in told)
        raise DataError(
            f"stream.sets.{name}.{key} = {template!r}: row {at} has no such field, or null in it: {error}",
            f"mend the row, or leave it out by where, or write {key} = of its fields {fields}",
        ) from error


class Questions(OneFormat):
    """Questions of a file, learned by day from its training rows and tested on the others.

    Args:
        name: of the set.
        chosen: what the recipe says of it.
        guard: lets answers be read.
        places: where files are sought.

    Raises:
        DataError: there are no rows to train on, or none to test with, or their answers say nothing.
    """

    relations: tuple[Relation, ...] = ()

    def __init__(self, name: str, chosen: QuestionSet, guard: Guard, places: tuple[Path, ...]) -> None:
        self.guard, self.settings, self.prefix = guard, chosen, chosen.instruction
        self.answers: dict[str, str] = {}
        self.train: list[str] = []
        self.test: list[str] = []
        rows = read(name, chosen, places)
        of_set = 0
        for at, row in enumerate(rows, 1):
            if not row or any(str(row.get(field)) not in values for field, values in chosen.where.items()):
                continue
            of_set += 1
            question = written(name, "question", chosen.question, row, at)
            for_test = self._is(row, chosen.test) if chosen.test else blake2b(question.encode(), digest_size=1).digest()[0] < 51
            if not for_test and chosen.test and not self._is(row, chosen.train):
                continue
            (self.test if for_test else self.train).append(question)
            if for_test or question not in self.answers:
                self.answers[question] = written(name, "answer", chosen.answer, row, at)
        tested = frozenset(self.test)
        self.train = [question for question in self.train if question not in tested]  # sets by others have a few in both
        if not of_set:
            empty = "its file is empty" if not any(rows) else f"where = {chosen.where} leaves none of its {len(rows)} rows"
            raise DataError(f"stream.sets.{name}: {empty}", "another path, or values of fields that rows have")
        for questions, key in ((self.train, "train"), (self.test, "test")):
            if not questions:
                raise DataError(f"stream.sets.{name} has no rows for {key}", f'{key} = {{ split = "{key}" }} by a field that rows have')
        self.values = {self.value(self.answers[question]) for question in self.train}
        if not any(self.answer_formed(self.answers[question]) for question in self.train):
            said = self.answers[self.train[0]]
            raise DataError(
                f"stream.sets.{name}: no answer says anything by marker = {chosen.marker!r}, extract = {chosen.extract!r}: {said!r}",
                'marker = "" and extract = "text", or what its answers have',
            )

    @staticmethod
    def _is(row: Mapping[str, Any], fields: Mapping[str, str]) -> bool:
        return all(str(row.get(field)) == value for field, value in fields.items())

    def sample(self, level: int, rng: Random) -> str:
        """A question: for tests in an audit, for the day otherwise. Guarded."""
        self.guard.check("a set's questions")
        return rng.choice(self.test if self.guard.audits else self.train)

    def solve(self, problem: str) -> str:
        """The answer as the set has it. Guarded."""
        self.guard.check("a set's answers")
        return self.answers[problem]

    def verify(self, problem: str, answer: str) -> bool | None:
        """Whether it says what the set's answer says; None for a question that isn't in the set. Guarded."""
        self.guard.check("a set's answers")
        if problem not in self.answers:
            return None
        return self.answer_formed(answer) and self.value(answer) == self.value(self.answers[problem])

    def well_formed(self, problem: str) -> bool:
        """A few words that aren't too long and don't end in the middle."""
        return 0 < len(problem.strip()) <= self.settings.longest and not problem.rstrip().endswith((":", ","))

    def answer_formed(self, answer: str) -> bool:
        """Not empty; with marker, number or one of the day's answers where these are asked for."""
        if self.settings.marker not in answer:
            return False
        value = self.value(answer)
        return bool(value) and (not self.settings.closed or value in self.values)

    def value(self, answer: str) -> str:
        """What stands after the marker: the last number without separators, or the text in lower case with single spaces."""
        said = answer.rpartition(self.settings.marker)[2] if self.settings.marker else answer
        if self.settings.extract == "text":
            return " ".join(said.lower().split())
        numbers = NUMBER.findall(said)
        return f"{float(numbers[-1].replace(',', '')):.10g}" if numbers else ""

    def level(self, problem: str) -> int:
        """One."""
        return 1

    def choices(self, level: int) -> float:
        """The day's answers, where no others are taken."""
        return float(len(self.values)) if self.settings.closed else inf

    def context(self, lines: Sequence[Line]) -> str:
        """Questions with their answers, a blank line after each."""
        return "".join(f"{line.problem.text}\n{line.answer}\n\n" for line in lines)

    def compose(self, pieces: Iterator[str], level: int) -> str:
        """The next piece: questions aren't put together of parts."""
        return next(pieces)
