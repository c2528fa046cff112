"""Recipes: a TOML file that describes a scenario completely. Load, override, check, all without torch and without data.

A recipe is the common part below plus its domain's sections. Every error is reported at once, by its path, with the line to write.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from sleepwake import methods, mistakes
from sleepwake.domains import DOMAINS
from sleepwake.domains.language import challenger_settings as challengers
from sleepwake.domains.language import consolidation_settings as consolidations
from sleepwake.domains.language import judge_settings as judges
from sleepwake.domains.language import rehearsal_settings as rehearsals
from sleepwake.domains.language import settings as language
from sleepwake.domains.language.combinations import check_together as check_language
from sleepwake.domains.vision import dreamer_settings as dreamers
from sleepwake.domains.vision import night_settings as dreams
from sleepwake.domains.vision import settings as vision
from sleepwake.domains.vision import stream_settings as streams
from sleepwake.domains.vision import wake_settings as days
from sleepwake.domains.vision.combinations import check_together as check_vision
from sleepwake.errors import RecipeError
from sleepwake.policy import Plan, Policy, Schedule
from sleepwake.settings import Settings
from sleepwake.sleep import STAGES, StageName


class Sleep(Settings):
    """What happens in a night."""

    stages: tuple[StageName, ...] = ("challenge", "dream", "judge", "rehearse", "consolidate")
    """The stages in their order; all but consolidate make a round. An empty list: no nights."""
    rounds: int = Field(3, ge=1)
    """Rounds in a night; the pressure policy may make fewer."""

    @model_validator(mode="after")
    def _stages_in_order(self) -> "Sleep":
        have: set[str] = set()
        for name in self.stages:
            if missing := [need for need in STAGES[name].needs(self) if need not in have]:
                raise ValueError(f"stages: {json.dumps(name)} comes before there are {' and '.join(missing)}; write {_order(self.stages)}")
            have.update(STAGES[name].gives)
        if len(set(self.stages)) < len(self.stages):
            raise ValueError(f"stages: a stage stands twice; write {_order(self.stages)}")
        if "consolidate" in self.stages[:-1]:
            raise ValueError(f"stages: consolidate comes last, once a night; write {_order(self.stages)}")
        return self


class VisionSleep(Sleep):
    """A vision domain's night."""

    rehearse: dreams.Rehearse = Field(default=dreams.SupervisedRehearsal())
    """How the learner trains on accepted dreams."""
    consolidate: dreams.Consolidate = Field(default=dreams.DistilConsolidation())
    """How the night is folded into the lasting weights."""


class LanguageSleep(Sleep):
    """A language domain's night."""

    rehearse: rehearsals.Rehearse = Field(default=rehearsals.Supervised())
    """How the learner trains on accepted attempts."""
    consolidate: consolidations.Consolidate = Field(default=consolidations.Distil())
    """How the night is folded into the lasting weights."""


Monitor = Literal["format", "effective_formats", "distinct_3", "variety", "vendi"]


class Morning(Settings):
    """The gate after a night."""

    probes: Literal["kept", "dreamed", "both", "none"] = "dreamed"
    """What the gate looks at: "kept" is held back from each day's data and counts as stored; "dreamed" is drawn at dusk; "both" (language)
    has the former of the day's levels and the latter of what is practised, so that what earlier nights won is guarded, too."""
    tolerance: float = Field(0.02, ge=0, le=1)
    """A task's probe score may fall by this, or by two standard errors where that is more."""
    floors: dict[Monitor, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    """Least part of its value at dusk that a monitor must keep, after every round and in the morning, e.g. { format = 0.5, vendi = 0.7 }:
    the share of every format of answers, their effective number, distinct 3-grams, variety (1 - self-BLEU) and Vendi score of problems."""


class Evaluate(Settings):
    """What is measured beside the run."""

    every: int = Field(0, ge=0)
    """Score the tests after every N-th step of a night too; 0: only after each wake and each morning."""
    tests: Literal["seen", "all"] = "seen"
    """Which tests: of the tasks seen so far, or of all."""
    audit: bool = True
    """Measure judge, gate and frontier against ground truth, forward transfer against an untrained mind; never changes what is learned."""
    draws: int = Field(0, ge=0)
    """Show so many of the dreamer's draws of each class to a judge that learned the real data, after each wake; 0: none."""

    within: int = Field(0, ge=0)
    """Score the tests after every N-th optimizer step of a day too, for curves and anytime metrics; 0: not. Changes no weight."""
    remap: bool = False
    """Score each task before its day once more, new classes having the rows that win their training images: their own or dreamed ones."""
    probe: int = Field(0, ge=0)
    """Fit a linear probe on the learner's features before each day, with at most so many training images a class of its task; 0: none."""
    speed: int = Field(0, ge=0)
    """Train a copy of the learner for so many plain steps before each day, to see how fast it takes the task up; 0: not."""

    def due(self, step: int) -> bool:
        """Whether this step of a night is scored."""
        return bool(self.every) and step % self.every == 0


class Budget(Settings):
    """When to stop early; a night under way is closed first. 0: no limit."""

    steps: int = Field(0, ge=0)
    """Commits."""
    samples: int = Field(0, ge=0)
    """Samples trained on or dreamed."""
    tokens: int = Field(0, ge=0)
    """Tokens trained on or generated."""


class Common(Settings):
    """What every recipe has, whatever its domain."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The recipe's name; its runs go to checkpoints/<name>-<seed>."""
    method: str = ""
    """A named bundle of settings of the domain (sleepwake recipes methods); what the recipe says itself comes first."""
    seed: int = Field(0, ge=0)
    """Root of every random draw."""
    threads: int = Field(1, ge=1)
    """CPU threads; runs are bit-identical for one thread count."""
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    """Of products of float32 matrices, in torch's words: float32 throughout; TF32 or as good; bfloat16, summed in float32. Lower ones are
    faster where the machine has units for them, CPU or GPU, and give other last digits."""
    morning: Morning = Morning()
    """The gate after a night."""
    evaluate: Evaluate = Evaluate()
    """What is measured beside the run."""
    policy: Policy = Field(default=Schedule())
    """What decides the next action."""
    budget: Budget = Budget()
    """When to stop early."""

    sleep: Sleep
    """What happens in a night."""

    @property
    def consolidates(self) -> bool:
        """Whether a night ends with a consolidation."""
        return "consolidate" in self.sleep.stages

    def plan(self, days: int) -> Plan:
        """What the recipe allows a policy: no nights without stages; one empty round where a night only consolidates."""
        rounds = self.sleep.rounds if any(stage != "consolidate" for stage in self.sleep.stages) else int(self.consolidates)
        return Plan(days, rounds, self.budget.model_dump())


class VisionRecipe(Common):
    """An image classifier that learns classes task by task."""

    domain: vision.DomainSettings
    """What kind of mind."""
    stream: streams.Stream
    """The tasks and where their data are."""
    learner: days.Learner
    """The classifier."""
    dreamer: dreamers.Dreamer = dreamers.NoDreamer()
    """What makes images by night, and replay by day."""
    challenger: dreams.Challenger = dreams.NoChallenger()
    """What sets the practice."""
    judge: dreams.Judge = dreams.NoJudge()
    """What rewards dreams without ground truth."""
    wake: days.Wake
    """How a day is learned."""
    sleep: VisionSleep = VisionSleep()
    """What happens in a night."""

    @model_validator(mode="after")
    def _together(self) -> "VisionRecipe":
        check_vision(self)
        if self.morning.floors:
            raise ValueError("morning.floors: nothing of images is monitored; leave it out")
        return self


class LanguageRecipe(Common):
    """A causal language model that learns families of problems."""

    domain: language.DomainSettings
    """What kind of mind."""
    stream: language.Stream
    """The tasks: families and levels."""
    learner: language.Learner
    """The language model."""
    dreamer: language.Dreamer
    """What writes problems and attempts by night."""
    challenger: challengers.Challenger
    """What sets the practice."""
    judge: judges.Judge
    """What rewards attempts without ground truth."""
    wake: language.Wake
    """How a day is learned."""
    sleep: LanguageSleep = LanguageSleep()
    """What happens in a night."""

    @model_validator(mode="after")
    def _together(self) -> "LanguageRecipe":
        check_language(self)
        return self


RECIPES: dict[str, type[Common]] = {"vision": VisionRecipe, "language": LanguageRecipe}
Recipe = VisionRecipe | LanguageRecipe


def schema() -> dict[str, Any]:
    """JSON Schema of recipes, for editors."""
    return TypeAdapter(Recipe).json_schema()


def override(table: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A table with `key.path=value` settings put in; values are TOML, lists are replaced whole.

    Raises:
        RecipeError: a setting is not of that form.
    """
    table = json.loads(json.dumps(table))
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals or not all(path.split(".")):
            raise RecipeError(f"--set {setting}: not of the form key.path=value", "--set wake.steps=100")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            raise RecipeError(
                f"--set {setting}: {value!r} is not a TOML value", f"strings stand in quotes: --set '{path}=\"{value}\"'"
            ) from None
        *parents, last = path.split(".")
        place = table
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise RecipeError(f"--set {setting}: {parent!r} is not a table", f"--set '{parents[0]}={{ ... }}'")
        place[last] = parsed
    return table


def parse(table: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from its table.

    Raises:
        RecipeError: every mistake by its path, each with the line to write.
    """
    domain = table.get("domain")
    kind = domain.get("type") if isinstance(domain, Mapping) else None
    if not isinstance(kind, str) or kind not in RECIPES:
        said = f"is {kind!r}" if kind is not None else "is missing"
        lines = "\n".join(f'  [domain]\n  type = "{name}"' for name in DOMAINS)
        raise RecipeError(f"{where}: 1 mistake\n  domain.type: {said}; one of {', '.join(DOMAINS)}", f"write one of\n{lines}")
    model, table = RECIPES[kind], methods.expand(table, kind, where)
    try:
        return model.model_validate(table)  # type: ignore[return-value]
    except ValidationError as error:
        raise RecipeError(
            f"{where}: {mistakes.tell(model, error, table)}", f"all settings with their meaning: sleepwake recipes show {kind}/tiny"
        ) from None


def load(path: Path, settings: Sequence[str] = (), seed: int | None = None) -> Recipe:
    """Read, override and check a recipe file.

    Raises:
        RecipeError: not readable, not TOML, or not a recipe.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} can't be read: {error}", "see the shipped ones: sleepwake recipes list") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}", 'a line is key = value; strings stand in "quotes"') from None
    table = override(table, settings)
    return parse(table if seed is None else {**table, "seed": seed}, str(path))


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Every setting, defaults too, as JSON values."""
    return recipe.model_dump(mode="json")


def short_hash(recipe: Recipe) -> str:
    """Six hex digits that tell two resolved recipes apart."""
    return sha256(json.dumps(resolved(recipe), sort_keys=True).encode()).hexdigest()[:6]


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """Settings in which two resolved recipes differ, by path with both values."""
    told: list[str] = []
    for key in sorted({*old, *new}):
        here, a, b = f"{path}{key}", old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            told += differences(a, b, f"{here}.")
        elif a != b:
            told.append(f"{here}: {json.dumps(a)} -> {json.dumps(b)}")
    return told


def _order(stages: Sequence[StageName]) -> str:
    """The line with the named stages, and those that they need, in an order that runs."""
    most = max((list(STAGES).index(stage) for stage in stages if stage != "consolidate"), default=-1)
    ordered = [*list(STAGES)[: most + 1], *(["consolidate"] if "consolidate" in stages else [])]
    return f"stages = {json.dumps(list(dict.fromkeys(ordered)))}"
