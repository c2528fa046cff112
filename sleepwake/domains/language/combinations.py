"""Which sections of a language recipe go together. Imports no torch."""

from typing import Any

from sleepwake.domains.language.pairs import IN_WORDS
from sleepwake.domains.language.settings import Characters, Magpie
from sleepwake.domains.language.text_settings import Pretrained


def check_together(recipe: Any) -> None:
    """Refuse sections that don't go together.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    learner, challenger, wake, consolidate = recipe.learner, recipe.challenger, recipe.wake, recipe.sleep.consolidate
    if isinstance(learner, Pretrained) and (challenger.type == "learned" or consolidate.type in ("seed", "merge")):
        raise ValueError(
            'learner.type = "pretrained" keeps its size and has one LoRA: write challenger.type = "even", sleep.consolidate.type = "distil"'
        )
    if isinstance(recipe.dreamer, Magpie) and (not isinstance(learner, Pretrained) or learner.template != "chat"):
        raise ValueError('dreamer.type = "magpie" needs a chat template to write a user\'s words after: write dreamer.type = "model"')
    if any(0 < len(set(task) & set(wake.context)) < len(task) for task in recipe.stream.tasks):
        raise ValueError("wake.context: a day is learned in context as a whole or not at all; write all families of its task, or none")
    if unknown := set(wake.context) - {name for task in recipe.stream.tasks for name in task}:
        known = ", ".join(name for task in recipe.stream.tasks for name in task)
        raise ValueError(f"wake.context names {sorted(unknown)[0]!r}, which no day teaches; write one of {known}")
    if consolidate.type == "absorb" and not wake.context:
        raise ValueError(
            'sleep.consolidate.type = "absorb": no day stands in the context; write wake.context = ["code1"], or type = "distil"'
        )
    if consolidate.type in ("absorb", "replay") and "consolidate" not in recipe.sleep.stages:
        raise ValueError(
            f'sleep.consolidate.type = "{consolidate.type}" never comes to its turn: write stages = ["consolidate"], others before it'
        )
    if getattr(consolidate, "lines", "") == "stored" and wake.replay.type != "exact":
        raise ValueError('sleep.consolidate.lines = "stored": nothing is stored; write wake.replay = { type = "exact" }')
    if wake.context and consolidate.type != "absorb":
        raise ValueError('wake.context: nothing takes what stands in the context into the weights: write sleep.consolidate.type = "absorb"')
    notes = recipe.sleep.rehearse.type == "notes"
    if notes != (consolidate.type == "replay"):
        raise ValueError(
            "notes are edited round by round and chosen at the end of the night: write"
            ' sleep.rehearse.type = "notes" and sleep.consolidate.type = "replay", or neither'
        )
    if notes and not isinstance(learner, Pretrained):
        raise ValueError('sleep.rehearse.type = "notes" needs a learner with words: write learner.type = "pretrained"')
    if getattr(recipe.sleep.rehearse, "vllm", False) and not isinstance(learner, Pretrained):
        raise ValueError("sleep.rehearse.vllm: vLLM knows no learner of characters; write vllm = false")
    least = {"supervised": 1, "notes": 1, "dpo": 2, "kto": 2}.get(recipe.sleep.rehearse.type, 0)
    if "rehearse" in recipe.sleep.stages and recipe.dreamer.attempts < least:
        kind = recipe.sleep.rehearse.type
        raise ValueError(f'sleep.rehearse.type = "{kind}" trains on the dreamer\'s attempts: write dreamer.attempts = {max(4, least)}')
    check_judges(recipe)
    if recipe.stream.sets:
        check_sets(learner, challenger, recipe.judge)
    if IN_WORDS in recipe.stream.sets:
        raise ValueError(f"stream.sets.{IN_WORDS}: judgements in words have this name: write [stream.sets.judgements]")
    if challenger.type == "learned" and learner.fast != "full":
        raise ValueError(
            'challenger.type = "learned" lays a LoRA of its own over the learner, which must have none: write learner.fast = "full"'
        )
    if consolidate.type == "merge" and learner.fast != "lora":
        raise ValueError('sleep.consolidate.type = "merge" folds a LoRA into the lasting weights: write learner.fast = "lora"')
    if getattr(recipe.sleep.rehearse, "niche", 0) and recipe.sleep.rehearse.top_p < 1:
        raise ValueError("sleep.rehearse.niche compares with formats of whole samples: write top_p = 1")
    if consolidate.type == "seed":
        check_growth(learner, challenger, consolidate)
    if recipe.morning.probes == "none":
        raise ValueError('morning.probes = "none": language keeps probes or dreams them; write probes = "kept"')
    stream = recipe.stream
    if recipe.morning.probes in ("kept", "both") and (each := stream.examples // stream.levels) <= stream.kept:
        raise ValueError(
            f"stream.kept: {stream.kept} of the {each} lines of a level are held back for the gate, and none are left to learn from;"
            f" write kept = {max(4, each // 4)}, or more examples"
        )
    if recipe.stream.sets and recipe.morning.probes != "kept":
        raise ValueError('morning.probes: answers to dreamed questions have no second judge; write probes = "kept"')
    several = any(name == "formats" or ":" in name for task in recipe.stream.tasks for name in task)
    if {"format", "effective_formats"} & set(recipe.morning.floors) and not several:
        raise ValueError(
            'morning.floors: no family of the stream has formats; write floors = { vendi = 0.7 }, or name the family "formats"'
        )
    if recipe.evaluate.probe or recipe.evaluate.speed:
        raise ValueError("evaluate: probe and speed are measured of classes, and language has none; write probe = 0, speed = 0")


def check_judges(recipe: Any) -> None:
    """Refuse judges that ask what the learner can't be asked.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    types = {each.type for each in (recipe.judge.of if recipe.judge.type == "ensemble" else (recipe.judge,))}
    chat, pairs = isinstance(recipe.learner, Pretrained), any("pairs" in task for task in recipe.stream.tasks)
    practised = {name for task in recipe.stream.tasks for name in task} - {"pairs"}
    if "pairwise" in types and not chat and practised - {"copy", "sum"}:
        raise ValueError(
            'judge.type = "pairwise": the skill of judging is taught of copies and sums; write tasks = [["copy", "sum", "pairs"]]'
        )
    if recipe.sleep.rehearse.type == "notes" and types <= {"majority", "pairwise", "random"}:
        raise ValueError(
            'sleep.rehearse.type = "notes" is judged answer by answer: write judge.type = "rubrics", "votes" or "self-certainty"'
        )
    if "rubrics" in types and not chat:
        raise ValueError('judge.type = "rubrics" asks in words, and this learner has none: write judge.type = "metamorphic"')
    if "pairwise" in types and not chat and not pairs:
        raise ValueError(
            'judge.type = "pairwise" asks the skill of judging, and no day teaches it: write tasks = [["copy", "sum", "pairs"]]'
        )
    if getattr(recipe.sleep.rehearse, "judging", 0) and (types != {"pairwise"} or recipe.dreamer.attempts < 2):
        raise ValueError(
            "sleep.rehearse.judging needs a pairwise judge and attempts to compare: write judging = 0, or"
            ' judge.type = "pairwise" and dreamer.attempts = 4'
        )


def check_sets(learner: Any, challenger: Any, judge: Any) -> None:
    """Refuse what a set of questions has nothing for: characters that can't write it, levels to climb, relations to judge by.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    if not isinstance(learner, Pretrained):
        raise ValueError(
            "a set of questions needs a model that can write them: write"
            ' learner = { type = "pretrained", model = { type = "folder", folder = "DIR" } }'
        )
    if challenger.type != "even" or challenger.level != 1:
        raise ValueError('a set of questions has no levels to climb: write challenger = { type = "even" }')
    judges = judge.of if judge.type == "ensemble" else (judge,)
    if any(each.type == "metamorphic" for each in judges):
        raise ValueError('a set of questions has no relations between parts and wholes: write judge.type = "majority"')


def check_growth(learner: Characters, challenger: Any, consolidate: Any) -> None:
    """Refuse a larger size that isn't larger, or that a copy can't have, and what would not teach it.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    if consolidate.lines != "written":
        raise ValueError('sleep.consolidate.lines: a larger learner is taught by what the smaller one writes; write lines = "written"')
    larger = consolidate.larger
    alike = f"{{ width = {learner.width}, heads = {learner.heads}, expansion = {learner.expansion}, layers = {learner.layers + 2} }}"
    if larger.width < learner.width or larger.layers < learner.layers:
        raise ValueError(f"sleep.consolidate.larger is narrower or shallower than the learner: write larger = {alike}, or more")
    same = larger.width == learner.width and larger.heads == learner.heads and larger.expansion >= learner.expansion
    if consolidate.start == "copy" and not same:
        raise ValueError(f'sleep.consolidate.start = "copy" adds blocks and units to blocks of the same width: write larger = {alike}')
    if consolidate.imitate and consolidate.batch % 4:
        raise ValueError(f"sleep.consolidate.imitate takes four completions of each: write batch = {consolidate.batch // 4 * 4 + 4}")
    if challenger.type == "learned":
        raise ValueError('challenger.type = "learned" has a LoRA that does not fit a larger learner: write challenger.type = "ladder"')
