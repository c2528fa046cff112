"""What a recipe may say of the language domain. Imports no torch; a type without other keys is its vetted setting."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sleepwake.domains.language.night_settings import Shape
from sleepwake.settings import CODE, Settings

FamilyName = Literal["reverse", "copy", "sort", "sum", "addition", "parity", "formats"] | Annotated[str, Field(pattern=CODE)]
"""A shipped family, or one of the user's own: file.py:Name, with --allow-code."""


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
        if len(set(names)) < len(names):
            raise ValueError(f"a family is named twice in tasks {names}: name each once")
        if {"addition", "formats"} <= set(names):
            raise ValueError("addition and formats begin their lines alike, and the model can't tell them apart: name one of them")
        return self


class Learner(Shape):
    """A character-level SmolLM3 without positional encoding (NoPE), from scratch."""

    type: Literal["characters"] = "characters"
    """Stock transformers class, random initial weights."""
    fast: Literal["full", "lora"] = "full"
    """What rehearsal trains by night: all weights, or a LoRA that consolidation distils into the lasting weights."""
    rank: int = Field(16, ge=1, le=256)
    """Rank of the LoRA; used where fast = "lora"."""


class Dreamer(Settings):
    """The learner writes problems after a family's prefix; harder ones are composed from pieces that it wrote."""

    type: Literal["model"] = "model"
    """Problems by the model itself."""
    pool: int = Field(200, ge=10, le=10_000)
    """Pieces written a family and round."""
    attempts: int = Field(5, ge=0, le=64)
    """Answers a problem: a greedy one, the others sampled; 0 for problems alone, as GRPO wants them."""
    temperature: float = Field(1.0, gt=0, le=3)
    """Of the sampled answers; problems are written at 1."""


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
        },
        "learner": {"characters": "characters:Characters"},
        "dreamer": {"model": "dreamers:ModelDreamer"},
        "challenger": {
            "ladder": "challengers:Ladder",
            "learned": "learned_challenger:Learned",
            **dict.fromkeys(("uncertainty", "learnability", "progress", "prioritised"), "curricula:Curriculum"),
        },
        "judge": {
            "metamorphic": "judges:Metamorphic",
            "majority": "judges:Majority",
            "self-certainty": "self_judges:SelfCertainty",
            "cycle": "self_judges:Cycle",
            "random": "judges:Random",
            "oracle": "judges:Oracle",
            "ensemble": "ensembles:Ensemble",
        },
        "memory": {"none": "memory:NoMemory", "generated": "memory:GeneratedMemory", "exact": "memory:ExactMemory"},
        "probes": {"kept": "probes:Kept", "dreamed": "probes:Dreamed"},
        "rehearse": {
            "supervised": "rehearsal:Supervised",
            "grpo": "grpo:Sampled",
            "rloo": "grpo:Sampled",
            "dpo": "preferences:Compared",
            "kto": "preferences:Compared",
        },
        "consolidate": {"distil": "consolidation:Distil", "seed": "seeding:Seed", "merge": "merging:Merge"},
    }.items()
}
"""kind -> type -> "module:Class": the only table of this domain."""


def check_together(learner: Learner, challenger: Any, consolidate: Any, evaluate: Any) -> None:
    """Refuse sections that don't go together.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    if challenger.type == "learned" and learner.fast != "full":
        raise ValueError(
            'challenger.type = "learned" lays a LoRA of its own over the learner, which must have none: write learner.fast = "full"'
        )
    if consolidate.type == "merge" and learner.fast != "lora":
        raise ValueError('sleep.consolidate.type = "merge" folds a LoRA into the lasting weights: write learner.fast = "lora"')
    if consolidate.type == "seed":
        check_growth(learner, challenger, consolidate)
    if evaluate.probe or evaluate.speed:
        raise ValueError("evaluate: probe and speed are measured of classes, and language has none; write probe = 0, speed = 0")


def check_growth(learner: Learner, challenger: Any, consolidate: Any) -> None:
    """Refuse a larger size that isn't larger, or that a copy can't have.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    larger = consolidate.larger
    alike = f"{{ width = {learner.width}, heads = {learner.heads}, expansion = {learner.expansion}, layers = {learner.layers + 2} }}"
    if larger.width < learner.width or larger.layers < learner.layers:
        raise ValueError(f"sleep.consolidate.larger is narrower or shallower than the learner: write larger = {alike}, or more")
    if consolidate.start == "copy" and any(getattr(larger, name) != getattr(learner, name) for name in ("width", "heads", "expansion")):
        raise ValueError(f'sleep.consolidate.start = "copy" adds blocks of the same kind: write larger = {alike}')
    if consolidate.imitate and consolidate.batch % 4:
        raise ValueError(f"sleep.consolidate.imitate takes four completions of each: write batch = {consolidate.batch // 4 * 4 + 4}")
    if challenger.type == "learned":
        raise ValueError('challenger.type = "learned" has a LoRA that does not fit a larger learner: write challenger.type = "ladder"')
