"""Which choices of a vision recipe go together. A method is a combination; one that has no meaning is refused with the reason."""

from collections.abc import Iterator
from typing import Any

from sleepwake.domains.vision.body_settings import ResNetLearner
from sleepwake.domains.vision.dreamer_settings import (
    CvaeDreamer,
    DiffusionDreamer,
    FeedbackDreamer,
    MixDreamer,
    NoDreamer,
    PicturesDreamer,
    VaeDreamer,
    WganDreamer,
)
from sleepwake.domains.vision.night_settings import ClassesRehearsal, PeersJudge
from sleepwake.domains.vision.wake_settings import CwrHead, DecoderFeedback, NetworkLearner, NoPenalty, SoftmaxHead

STAGES = {"challenge": "challenger", "dream": "dreamer", "judge": "judge"}
"""The section that a stage of the night needs."""


def check_together(recipe: Any) -> None:
    """Refuse sections that don't go together.

    Raises:
        ValueError: with a line for each thing that is wrong, and the line to write.
    """
    kinds = (nights, learners, dreamers, latents, feedbacks, streams, dreamed_classes, measures)
    if wrong := [line for kind in kinds for line in kind(recipe)]:
        raise ValueError("\n".join(wrong))


def nights(recipe: Any) -> Iterator[str]:
    """What a night needs, where the policy can make one."""
    dreamed, judge = recipe.morning.probes == "dreamed", recipe.judge
    if dreamed and not (isinstance(judge, PeersJudge) and judge.members >= 2):
        yield (
            'morning.probes: "dreamed" probes are marked by two judges with seeds of their own; write '
            'judge = { type = "peers", members = 2 }, or morning.probes = "kept", or without nights "none"'
        )
    if dreamed and isinstance(recipe.dreamer, NoDreamer):
        yield 'dreamer.type: "dreamed" probes need one; write dreamer = { type = "vae" }, or morning.probes = "kept"'
    if recipe.morning.probes == "both":
        yield 'morning.probes: of images, "both" is for language alone; write morning.probes = "kept"'
    if not recipe.policy.most_nights:
        return
    for stage, section in STAGES.items():
        if stage in recipe.sleep.stages and getattr(recipe, section).type == "none":
            yield f'{section}.type: the night\'s stage "{stage}" needs one; write policy.nights = 0, or another {section}'
    if recipe.morning.probes == "none":
        yield 'morning.probes: the gate must see something of each night; write morning.probes = "kept", or policy.nights = 0'
    if recipe.sleep.stages and not isinstance(recipe.learner, NetworkLearner):
        yield f'learner.type: "{recipe.learner.type}" has no gradients; write policy.nights = 0, or learner = {{ type = "mlp" }}'


def learners(recipe: Any) -> Iterator[str]:
    """What [wake] may ask of a learner."""
    deep = recipe.learner
    if isinstance(deep, ResNetLearner) and len(deep.channels) != len(deep.depths):
        yield f"learner.depths: {len(deep.channels)} layers need as many numbers; write depths = {[2] * len(deep.channels)}"
    wake, gradients = recipe.wake, isinstance(recipe.learner, NetworkLearner)
    if not gradients:
        plain = (
            wake.replay.type == "none" and isinstance(wake.penalty, NoPenalty) and isinstance(wake.head, SoftmaxHead) and not wake.restart
        )
        if not plain:
            yield f'learner.type: "{recipe.learner.type}" learns each task once, without replay or penalty; write [wake] alone'
    if wake.replay.type == "generated" and isinstance(recipe.dreamer, NoDreamer):
        yield 'dreamer.type: "generated" replay is drawn from it; write dreamer = { type = "vae", frozen = false }'
    if getattr(wake.replay, "labels", "solver") == "random" and wake.replay.target == "soft":
        yield 'wake.replay.target: noise with random labels has no response to aim at; write target = "hard"'
    if wake.restart and wake.moments == "kept":
        yield 'wake.moments: of a fresh learner there are no past gradients; write moments = "fresh"'
    if wake.restart and not isinstance(wake.penalty, NoPenalty):
        yield "wake.restart: a fresh learner has no weights to hold; write wake.restart = false"
    if wake.head.type == "nearest-mean" and (wake.replay.type != "exact" or recipe.policy.most_nights or wake.layer):
        yield 'wake.head.type: "nearest-mean" takes means of stored images each day; write replay = { type = "exact" }, policy.nights = 0'
    if wake.head.type == "bic" and (wake.replay.type not in ("exact", "generated") or recipe.stream.scenario != "class"):
        yield 'wake.head.type: "bic" weighs new classes against replayed ones; write replay = { type = "exact" }, scenario = "class"'
    if getattr(wake.replay, "keep", "") == "herding" and not gradients:
        yield 'wake.replay.keep: "herding" goes by the learner\'s features; write keep = "balanced"'
    if getattr(wake.replay, "target", "") == "logits" and (wake.restart or wake.layer):
        yield 'wake.replay.target: stored "logits" are those of this network on images; write target = "hard"'
    if wake.replay.type == "current" and wake.head.type == "cwr":
        yield 'wake.head.type: "cwr" trains rows of the day alone, which can\'t answer as before; write head = { type = "softmax" }'


def dreamers(recipe: Any) -> Iterator[str]:
    """What a dreamer's own choices allow."""
    dreamer = recipe.dreamer
    if getattr(dreamer, "moments", "fresh") == "kept" and (dreamer.frozen or dreamer.restart):
        yield "dreamer.moments: fresh weights have no past gradients; write dreamer.frozen = false, dreamer.restart = false"
    begun = isinstance(dreamer, MixDreamer | PicturesDreamer) or getattr(dreamer, "begin", "") == "stored"
    if begun and (recipe.wake.replay.type != "exact" or recipe.wake.layer):
        yield f'dreamer.type: "{dreamer.type}" begins at stored images; write wake.replay = {{ type = "exact" }}, wake.layer = ""'
    learned = getattr(getattr(dreamer, "stop", None), "type", "") == "learned"
    if learned and not (isinstance(recipe.sleep.rehearse, ClassesRehearsal) and "judge" in recipe.sleep.stages):
        yield 'dreamer.stop: "learned" is taught by a judge of dreamed classes; write sleep.rehearse.type = "classes", with stage "judge"'
    if getattr(dreamer, "fit", "") != "none":
        return
    if dreamer.first == "class" or dreamer.begin == "draws":
        yield 'dreamer.fit: "none" leaves real classes without an adapter; write first = "random", begin = "noise" or "stored"'
    confused = recipe.challenger.type == "confusion" and dreamer.begin != "stored"  # there it is measured on stored images
    if recipe.wake.replay.type == "generated" or confused or recipe.evaluate.draws:
        yield 'dreamer.fit: "none" leaves nothing to draw real classes with; write fit = "learner"'
    if recipe.morning.probes == "dreamed":
        yield 'morning.probes: "dreamed" ones are draws of real classes; write probes = "kept", or dreamer.fit = "learner"'
    old = recipe.sleep.rehearse.type != "classes" or "consolidate" in recipe.sleep.stages
    if old and recipe.policy.most_nights and dreamer.begin != "stored":
        yield 'dreamer.fit: "none" leaves nothing to rehearse real classes with; write fit = "learner", or begin = "stored"'


def latents(recipe: Any) -> Iterator[str]:
    """What replay of a layer's activations allows."""
    layer, replay, dreamer = recipe.wake.layer, recipe.wake.replay, recipe.dreamer
    guided = getattr(dreamer, "guide", 0.0) > 0
    if guided and (not isinstance(dreamer, CvaeDreamer) or not isinstance(recipe.learner, NetworkLearner)):
        yield 'dreamer.guide: a learner with gradients names what a conditional dreamer was told; write dreamer.type = "cvae", or guide = 0'
    if not layer:
        return
    names = getattr(recipe.learner, "layers", [])
    if layer not in names:
        known = f"one of {', '.join(names)}" if names else '"", since this learner has no layers'
        yield f'wake.layer: "{layer}" is no layer of learner "{recipe.learner.type}"; write {known}'
    if replay.type not in ("exact", "generated", "noise"):
        yield f'wake.layer: replay of type "{replay.type}" has no activations; write wake.layer = ""'
    if isinstance(dreamer, WganDreamer | DiffusionDreamer):
        yield f'wake.layer: "{dreamer.type}" draws pixels; write dreamer = {{ type = "cvae" }}, or wake.layer = ""'
    if recipe.policy.most_nights or recipe.judge.type != "none" or recipe.morning.probes == "dreamed":
        yield "wake.layer: activations are no images that a night or a judge could look at; write policy.nights = 0, judge and probes none"
    if recipe.wake.restart:
        yield "wake.layer: a fresh learner's layers mean something else; write wake.restart = false"
    if getattr(dreamer, "likelihood", "") == "bernoulli":
        yield 'dreamer.likelihood: activations aren\'t probabilities; write dreamer.likelihood = "squared"'


def feedbacks(recipe: Any) -> Iterator[str]:
    """What a generator within the learner allows: decoder and dreamer are two ends of one thing."""
    feedback, drawn = getattr(recipe.learner, "feedback", None), isinstance(recipe.dreamer, FeedbackDreamer)
    if not isinstance(feedback, DecoderFeedback):
        if drawn:
            yield 'dreamer.type: "feedback" draws from the learner\'s own decoder; write learner.feedback = { type = "decoder" }'
        return
    if not drawn:
        yield 'learner.feedback: nothing draws from its decoder; write dreamer = { type = "feedback" }'
    if recipe.policy.most_nights or recipe.morning.probes == "dreamed":
        yield 'learner.feedback: nights train the body and not its decoder; write policy.nights = 0, morning.probes = "none"'
    if recipe.wake.layer and feedback.likelihood == "bernoulli":
        yield 'learner.feedback.likelihood: activations aren\'t probabilities; write learner.feedback.likelihood = "squared"'


def streams(recipe: Any) -> Iterator[str]:
    """What a stream's kind and scenario allow."""
    stream, dreamer = recipe.stream, recipe.dreamer
    again = stream.kind in ("instances", "mixed") or stream.scenario == "domain"
    if stream.scenario != "class" and stream.kind in ("instances", "mixed"):
        yield f'stream.scenario: classes of the kind "{stream.kind}" come again, under one name; write stream.scenario = "class"'
    if stream.scenario == "task" and isinstance(recipe.wake.head, CwrHead):
        yield 'wake.head.type: "cwr" mends rows that compete across tasks, and here none do; write head = { type = "softmax" }'
    if again and isinstance(dreamer, VaeDreamer | CvaeDreamer) and dreamer.frozen:
        yield "dreamer.frozen: it draws each class as it was when learned first, but classes come again; write dreamer.frozen = false"
    if again and getattr(recipe.wake.replay, "keep", "") == "herding":
        yield 'wake.replay.keep: "herding" goes by the mean of a class, but classes come again; write keep = "reservoir"'
    if again and recipe.learner.type == "generative":
        yield 'learner.type: "generative" learns each class once, but classes come again; write learner = { type = "mlp" }'
    if again and isinstance(dreamer, DiffusionDreamer) and dreamer.fit == "images":
        yield 'dreamer.fit: "images" fits an adapter to a class once, but classes come again; write fit = "learner"'


def dreamed_classes(recipe: Any) -> Iterator[str]:
    """What classes that never existed need."""
    if not isinstance(recipe.sleep.rehearse, ClassesRehearsal) or not recipe.policy.most_nights:
        return
    wake, dreamer = recipe.wake, recipe.dreamer
    if not isinstance(dreamer, DiffusionDreamer | MixDreamer | PicturesDreamer):
        yield f'dreamer.type: "{dreamer.type}" can\'t draw a dream again; write dreamer = {{ type = "diffusion" }}'
    if recipe.stream.scenario != "class":
        yield 'stream.scenario: a dreamed class stands beside all others; write stream.scenario = "class"'
    if recipe.sleep.rehearse.label == "shape" and recipe.sleep.rehearse.learns == "rows":
        yield 'sleep.rehearse.learns: with label = "shape" there are no "rows" of dreamed classes; write learns = "all"'
    if not isinstance(wake.head, SoftmaxHead) or wake.layer or isinstance(getattr(recipe.learner, "feedback", None), DecoderFeedback):
        yield 'wake.head: dreamed classes have rows of a plain classifier of images; write head = { type = "softmax" }, layer = ""'


def measures(recipe: Any) -> Iterator[str]:
    """What [evaluate] may ask."""
    asked = recipe.evaluate
    if asked.remap and (recipe.stream.scenario != "class" or not isinstance(recipe.learner, NetworkLearner)):
        yield "evaluate.remap: rows are handed over where all classes have rows of one network; write remap = false"
    if (asked.probe or asked.speed) and not isinstance(recipe.learner, NetworkLearner):
        yield f'evaluate: learner "{recipe.learner.type}" has no features and takes no steps; write probe = 0, speed = 0'
    if (asked.probe or asked.speed) and recipe.stream.kind == "mixed":
        yield 'evaluate: in a stream of kind "mixed" a test is of one class, not of a task; write probe = 0, speed = 0'
    if asked.within and recipe.wake.head.type == "nearest-mean":
        yield 'evaluate.within: "nearest-mean" answers by means that are taken when the day ends; write evaluate.within = 0'
