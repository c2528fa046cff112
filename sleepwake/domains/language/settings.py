"""What a recipe may say of the language domain. Imports no torch; a type without other keys is its vetted setting."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from sleepwake.domains.language.shape import Shape
from sleepwake.domains.language.text_settings import Pretrained, QuestionSet
from sleepwake.settings import CODE, Settings

Code = Literal["code1", "code2", "code3", "code4", "code5", "code6", "code7", "code8", "code9"]
Shipped = Literal["reverse", "copy", "sort", "sum", "addition", "parity", "formats", "lookup", "pairs", Code]
FamilyName = Shipped | Annotated[str, Field(pattern=CODE)] | Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
"""A shipped family, one of the user's own (file.py:Name, with --allow-code), or a set of questions."""


class DomainSettings(Settings):
    """Which domain the recipe is for."""

    type: Literal["language"] = "language"
    """Strings in, strings out, by a small causal language model."""


class Stream(Settings):
    """The skills, in the order in which they are learned."""

    type: Literal["families"] = "families"
    """Families of problems with open-ended difficulty."""
    tasks: tuple[tuple[FamilyName, ...], ...] = Field((("reverse", "copy", "sum"),), min_length=1)
    """One list of families a day, e.g. [["reverse"], ["sort", "sum"]]."""
    sets: dict[str, QuestionSet] = Field(default_factory=dict)
    """Sets of questions with answers that tasks name beside the shipped families, each a section of its own: [stream.sets.gsm8k]."""
    levels: int = Field(4, ge=1, le=20)
    """The day teaches levels 1 to this one; a level is the length of the problem's operands in characters."""
    examples: int = Field(20_000, ge=100, le=1_000_000)
    """Lines of a family's data for the day, spread evenly over its levels."""
    kept: int = Field(32, ge=4, le=1000)
    """Lines a level and family that are held back from the day's data for the gate, where probes are kept."""
    tests: int = Field(100, ge=10, le=10_000)
    """Audited test problems a level and family."""
    frontier_tests: int = Field(200, ge=20, le=10_000)
    """Audited problems a level for the frontier: the last level, counted from 1, with accuracy of at least 0.9."""
    frontier_cap: int = Field(40, ge=1, le=200)
    """The highest level that the frontier is sought at."""

    @model_validator(mode="after")
    def _each_family_once(self) -> Self:
        names = [name for task in self.tasks for name in task]
        if not all(self.tasks):
            raise ValueError('a task has no family: write tasks = [["reverse"], ["sum"]]')
        shipped = get_args(Shipped)
        if unknown := [name for name in names if name not in (*shipped, *self.sets) and ":" not in name]:
            raise ValueError(
                f"tasks: {unknown[0]!r} is no family; write one of {', '.join((*shipped, *self.sets))}, or file.py:Name for your own, or a"
                f" section [stream.sets.{unknown[0]}] for a set of questions"
            )
        if taken := sorted(set(self.sets) & set(shipped)):
            raise ValueError(f"sets.{taken[0]} has the name of a shipped family: write [stream.sets.{taken[0]}-questions]")
        if self.sets and self.levels != 1:
            raise ValueError("levels: sets of questions have one; write levels = 1")
        if len(set(names)) < len(names):
            raise ValueError(f"a family is named twice in tasks {names}: name each once")
        for one, other in (("addition", "formats"), ("sort", "lookup"), ("parity", "pairs")):
            if {one, other} <= set(names):
                raise ValueError(f"{one} and {other} begin their lines alike, and the model can't tell them apart: name one of them")
        return self


class Characters(Shape):
    """A character-level SmolLM3 without positional encoding (NoPE), from scratch."""

    type: Literal["characters"] = "characters"
    """Stock transformers class, random initial weights."""
    fast: Literal["full", "lora"] = "full"
    """What rehearsal trains by night: all weights, or a LoRA that consolidation distils into the lasting weights."""
    rank: int = Field(16, ge=1, le=256)
    """Rank of the LoRA; used where fast = "lora"."""
    rotary: bool = False
    """Rotary positions in every layer: with them it finds things in its context, without them it reaches longer problems than the day's."""


Learner = Annotated[Characters | Pretrained, Field(discriminator="type")]


class ModelDreamer(Settings):
    """The learner writes problems after a family's prefix; harder ones are composed from pieces that it wrote."""

    type: Literal["model"] = "model"
    """Problems by the model itself."""
    pool: int = Field(200, ge=10, le=10_000)
    """Pieces written a family and round."""
    longest: int = Field(0, ge=0, le=100_000)
    """Most characters of a problem that the model writes; 0: 4 x levels + 8, enough for the shipped families."""
    attempts: int = Field(5, ge=0, le=64)
    """Answers a problem: a greedy one, the others sampled; 0 for problems alone, as GRPO wants them."""
    temperature: float = Field(1.0, gt=0, le=3)
    """Of the sampled answers; problems are written at 1."""
    learns: Literal["all", "day"] = "all"
    """By night a line teaches to write its problem too; with `day` only lines of the day's levels do. Problems whose answers were accepted
    are easier than those that were dreamed, so a learner that is taught to write them dreams ever easier ones."""


class Magpie(ModelDreamer):
    """A chat model writes the user's words after what comes before them (MAGPIE, arXiv 2406.08464)."""

    type: Literal["magpie"]  # type: ignore[assignment]
    """Filtered by form, quality and nearness."""
    longest: int = Field(600, ge=1, le=100_000)
    """Most tokens and most characters of a question."""
    shortest: int = Field(1, ge=1)
    """Fewest characters of a question."""
    quality: float = Field(0.0, ge=0, le=1)
    """Least probability of "Yes" where the model is asked what `ask` says; 0: it isn't asked."""
    ask: str = "Is this a clear question that has one right answer? Say Yes or No.\n\n{question}"
    """How it is asked for a question's quality."""

    @field_validator("ask")
    @classmethod
    def _asks_of_a_question(cls, ask: str) -> str:
        try:
            if ask.format(question="Q") == ask:
                raise KeyError("question")
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(f"has not just {{question}} in braces ({error}); write 'Is this clear? {{question}}'") from error
        return ask

    alike: float = Field(0.7, gt=0, le=1)
    """A question that shares this part of its runs of three words with an earlier one is left out."""
    archive: int = Field(2000, ge=1, le=1_000_000)
    """Earlier questions that are remembered, a family."""
    uncertain: float = Field(0.0, ge=0, le=1)
    """Least uncertainty 1 - 2 |p - 1/2| of a question, p being the share of its attempts that say what most of them say (R-Zero, arXiv
    2508.05004, keeps p from 0.3 to 0.8: 0.4): a set of questions has no levels, so difficulty is chosen here. Needs attempts; 0: all."""

    @model_validator(mode="after")
    def _uncertain_of_attempts(self) -> Self:
        if self.uncertain and self.attempts < 4:
            raise ValueError("uncertain is told by attempts: write attempts = 8")
        return self


Dreamer = Annotated[ModelDreamer | Magpie, Field(discriminator="type")]


class NoReplay(Settings):
    """Earlier families are not practised by day."""

    type: Literal["none"]
    """No replay."""


class GeneratedReplay(Settings):
    """A frozen copy of the learner, as it was before the day, writes problems of the earlier families and answers
    them.
    """

    type: Literal["generated"] = "generated"
    """No stored text."""


class ExactReplay(Settings):
    """Stored lines of earlier days."""

    type: Literal["exact"]
    """Stored text."""
    budget: int | None = Field(2000, ge=1)
    """Lines stored over all families, shared equally; none for all of them."""


Replay = Annotated[NoReplay | GeneratedReplay | ExactReplay, Field(discriminator="type")]


class Wake(Settings):
    """Supervised learning of whole lines, problem and answer."""

    steps: int = Field(1500, ge=1, le=1_000_000)
    """Optimizer steps a day."""
    batch: int = Field(64, ge=1, le=10_000)
    """Lines a step, current and replayed together: L = (1/N) current + (1 - 1/N) replay on day N."""
    rate: float = Field(2e-3, gt=0, le=1)
    """Peak learning rate of AdamW; 100 steps of warm-up, then a cosine down to a tenth."""
    problem_weight: float = Field(0.1, ge=0, le=1)
    """Weight of the problem's characters in the loss, against 1 for the answer's: by it the model learns to write
    problems."""
    context: tuple[FamilyName, ...] = ()
    """Families that a day teaches in context only: a few of its lines stand before every prompt, and nothing is trained, until a night
    takes them into the weights (sleep.consolidate.type = "absorb")."""
    shots: int = Field(10, ge=1, le=1000)
    """How many lines of such a family: the easiest, each problem once."""
    replay: Replay = GeneratedReplay()
    """Where lines of earlier families come from."""


CLASSES: dict[str, dict[str, str]] = {
    kind: {name: f"sleepwake.domains.language.{path}" for name, path in table.items()}
    for kind, table in {
        "family": {
            "reverse": "families:Reverse",
            "copy": "families:Copy",
            "sort": "families:Sort",
            "sum": "families:Sum",
            "addition": "families:Addition",
            "parity": "families:Parity",
            "formats": "formats:Formats",
            "lookup": "codes:Lookup",
            "pairs": "pairs:Pairs",
            **{f"code{n}": f"codes:Code{n}" for n in range(1, 10)},
        },
        "questions": {"file": "questions:Questions"},
        "learner": {"characters": "characters:Characters", "pretrained": "pretrained:PretrainedLearner"},
        "dreamer": {"model": "dreamers:ModelDreamer", "magpie": "magpie:Magpie"},
        "challenger": {
            "ladder": "challengers:Ladder",
            "learned": "learned_challenger:Learned",
            "even": "even:Even",
            "uncertainty": "curricula:Uncertainty",
            **dict.fromkeys(("learnability", "progress", "prioritised"), "curricula:Curriculum"),
        },
        "judge": {
            "metamorphic": "judges:Metamorphic",
            "majority": "judges:Majority",
            "self-certainty": "self_judges:SelfCertainty",
            "cycle": "self_judges:Cycle",
            "pairwise": "pairwise:Pairwise",
            "rubrics": "rubrics:Rubrics",
            "votes": "votes:Votes",
            "random": "judges:Random",
            "oracle": "judges:Oracle",
            "ensemble": "ensembles:Ensemble",
        },
        "memory": {"none": "memory:NoMemory", "generated": "memory:GeneratedMemory", "exact": "memory:ExactMemory"},
        "probes": {"kept": "probes:Kept", "dreamed": "probes:Dreamed", "both": "probes:Both"},
        "rehearse": {
            "supervised": "rehearsal:Supervised",
            "grpo": "grpo:Sampled",
            "rloo": "grpo:Sampled",
            "dpo": "preferences:Compared",
            "kto": "preferences:Compared",
            "notes": "notes:Edit",
        },
        "consolidate": {
            "distil": "consolidation:Distil",
            "seed": "seeding:Seed",
            "merge": "merging:Merge",
            "absorb": "context:Absorb",
            "replay": "notes:Replay",
        },
    }.items()
}
"""kind -> type -> "module:Class": the only table of this domain."""
