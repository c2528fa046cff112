"""The vision domain: builds the stream, and fresh minds for it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains import chosen_class, load_class
from sleepwake.domains.paths import find
from sleepwake.domains.tensors import set_up
from sleepwake.domains.vision.bodies import inner_space, located
from sleepwake.domains.vision.dreamed_classes import WithDreams
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer, FolderGenerator, MixDreamer, PicturesDreamer
from sleepwake.domains.vision.feature_map import feature_map
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.judges import Surroundings
from sleepwake.domains.vision.learners import terms
from sleepwake.domains.vision.mapping import remapped
from sleepwake.domains.vision.networks import Classifier, Solver, entered
from sleepwake.domains.vision.night_settings import ClassesRehearsal, NoveltyJudge
from sleepwake.domains.vision.oracle import oracle
from sleepwake.domains.vision.pictures import contact_sheet
from sleepwake.domains.vision.settings import CLASSES
from sleepwake.domains.vision.streams import Stream, Test
from sleepwake.domains.vision.transfer import drawn as drawn_evenly
from sleepwake.domains.vision.transfer import probe, speed
from sleepwake.records import Facts, Task, Verdicts
from sleepwake.roles import Guard, Judge, Mind

EXAMPLES, MAPPED = 8, 40
"""Images drawn a class to show one of each beside dreams; real images a class on a map of features."""
LABELS = {"class": "seen", "task": "task", "domain": "shared"}
"""Among which labels answers are chosen: of all classes seen so far, of the test's own task, or those that all tasks share."""


def build(recipe: Any, device: str, places: tuple[Path, ...]) -> "Vision":
    """The recipe's vision domain.

    Raises:
        DataError: the stream's data are missing or malformed.
    """
    return Vision(recipe, device, places)


class Vision:
    """A class-incremental stream of images, and minds that learn it."""

    metric = "accuracy"

    def __init__(self, recipe: Any, device: str, places: tuple[Path, ...]) -> None:
        self.recipe, self.guard, self.places = recipe, Guard(), places
        where = set_up(device, recipe.threads, recipe.matmul_precision)
        sets = chosen_class(CLASSES["stream"], recipe.stream, places, ("settings", "places"))(recipe.stream, places)
        self.judge = chosen_class(CLASSES["judge"], recipe.judge, places, ("settings", "around"), Judge)
        self.learner, self.dreamer = located(recipe.learner, places), placed(recipe.dreamer, places)
        self.stream = Stream(recipe.stream, sets, recipe.seed, where, self.guard)
        rehearse = recipe.sleep.rehearse
        self.dreamt = rehearse if isinstance(rehearse, ClassesRehearsal) and recipe.policy.most_nights else None
        self.space: Space = replace(self.stream.space, dreams=self.dreamt.slots if self.dreamt else 0)
        self.tasks: list[Task] = self.stream.tasks
        self.tests = [test.name for test in self.stream.dealt]
        self.test_sizes = [len(test.images.places_N) for test in self.stream.dealt]
        self.labels = LABELS[recipe.stream.scenario]
        self.rehearsal = load_class(CLASSES["rehearse"][rehearse.type])(rehearse, self.space)
        consolidate = recipe.sleep.consolidate
        self.consolidation = load_class(CLASSES["consolidate"][consolidate.type])(consolidate, self.space)
        self._oracle: Classifier | None = None

    def mind(self) -> Mind:
        """A fresh mind, the same at every call; nothing learned."""
        recipe, space = self.recipe, self.space
        replayed = inner_space(self.learner, space, recipe.wake.layer)
        around = Surroundings(space, self.learner, recipe.wake, self.oracle)
        each = recipe.domain.kept_probes if recipe.morning.probes == "kept" else recipe.domain.dreamed_probes
        memory = load_class(CLASSES["memory"][recipe.wake.replay.type])(recipe.wake.replay, replayed)
        dreamer = load_class(CLASSES["dreamer"][recipe.dreamer.type])(self.dreamer, replayed)
        if recipe.wake.replay.type == "exact" and isinstance(recipe.dreamer, DiffusionDreamer | MixDreamer | PicturesDreamer):
            dreamer.memory = memory
        if self.dreamt:
            memory = WithDreams(memory, self.dreamt, recipe.wake.dreams, space)
        return Mind(
            learner=load_class(CLASSES["learner"][recipe.learner.type])(self.learner, recipe.wake, space),
            dreamer=dreamer,
            challenger=load_class(CLASSES["challenger"][recipe.challenger.type])(recipe.challenger, space),
            judge=self.judge(recipe.judge, around),
            memory=memory,
            probes=load_class(CLASSES["probes"][recipe.morning.probes])(space, each),
        )

    def examples(self, task: Task) -> Batch:
        """A task's training images."""
        return self.stream.train(task)

    def evaluate(self, mind: Mind, seen: int, scope: str) -> list[float | None]:
        """Test accuracy among the classes that the learner has rows for; an untouched mind is scored with rows for all of them."""
        net = mind.learner.net
        if not net.classes:
            net = net.copy()
            net.grow(range(len(self.space.classes)), self.space.at("untouched"))
        return [self._accuracy(net, test) if scope == "all" or test.home < seen else None for test in self.stream.dealt]

    def _accuracy(self, net: Solver, test: Test, only: list[int] | None = None) -> float:
        batch = self.stream.test(test)
        if self.space.told:
            only = self.space.ids(list(test.images.names.values()))
        return round(_share(net.answer(batch.images_NCHW, only=only) == batch.labels_N), 6)

    def ahead(self, mind: Mind, task: Task) -> dict[str, float | None]:
        """Accuracy on a task that was opened but not learned: among all rows (GEM's), and among its own classes alone (all others).

        `remap` is `gem` where new classes have the rows that win their training images, of their own and those of dreamed classes.
        `probe` is that of a linear probe on the frozen features, `speed` the mean of a copy that learns the task's images alone.
        """
        net, test, own = mind.learner.net, self.stream.of(task), self.space.ids(task.parts)
        gem, masked = self._accuracy(net, test), self._accuracy(net, test, only=own)
        ahead: dict[str, float | None] = {"gem": gem, "masked": masked, "remap": None, "probe": None, "speed": None}
        asked, wake, at = self.recipe.evaluate, self.recipe.wake, self.space.at("ahead", task.index)
        examples = self.stream.train(task) if asked.probe or asked.speed or asked.remap else None
        if examples is not None and asked.remap and not self.space.told:
            ahead["remap"] = self._accuracy(remapped(net, examples, own), test)
        if examples is not None and asked.probe:
            ahead["probe"] = _rounded(probe(net, examples, self.stream.test(test), asked.probe, at))
        if examples is not None and asked.speed:
            alone = terms(wake, self.space, task, examples, None)
            found = speed(net, alone, asked.speed, wake.lr, at, lambda twin: self._accuracy(twin, test, only=own))
            ahead["speed"] = _rounded(found)
        return ahead

    def oracle(self) -> Classifier:
        """A classifier trained on the whole stream's real data: the audit's stand-in for ground truth on dreams."""
        if self._oracle is None:
            self._oracle = oracle(self.space, self._everything())
        return self._oracle

    def _everything(self) -> Batch:
        with self.guard.audit():
            first, *rest = [self.stream.train(task) for task in self.tasks]
        for other in rest:
            first = first.concat(other)
        return first

    def audit(self, mind: Mind, material: Batch, verdicts: Verdicts) -> Facts:
        """Precision and recall of a round's verdicts, taking a dream for right where the oracle sees the intended class.

        Where novelty is judged, a dream is right where the oracle is no surer of a class learned so far than the judge may be.
        Precision is None where nothing was accepted, recall where nothing was right.
        """
        right = self._right(mind, material).tolist() if len(material) else []
        both = sum(good and taken for good, taken in zip(right, verdicts.accepted, strict=True))
        counts = verdicts.counts()
        return {
            "judge": self.recipe.judge.type,
            "judged": counts["judged"],
            "right": sum(right),
            "accepted": counts["accepted"],
            "precision": round(both / counts["accepted"], 6) if counts["accepted"] else None,
            "recall": round(both / sum(right), 6) if any(right) else None,
            "abstained": counts["abstained"],
        }

    def _right(self, mind: Mind, material: Batch) -> Tensor:
        judge, truth = self.recipe.judge, self.oracle()
        if not isinstance(judge, NoveltyJudge):
            return truth.answer(material.images_NCHW) == material.labels_N
        return truth.response(material.images_NCHW)[:, mind.learner.net.real].max(dim=1).values <= judge.known

    def fidelity(self, mind: Mind, n: int) -> Facts:
        """Of n draws of each class, the share that the oracle names as the dreamer was told, or as the learner names them.

        Draws of a layer's activations are named by an oracle of what the learner's layer gives for the real images today. `each` is None
        for a class of which nothing was drawn, where the learner names what it gets.
        """
        dreamer, space, layer = mind.dreamer, self.space, self.recipe.wake.layer
        if not dreamer.classes:
            return {}
        batch = dreamer.source(dreamer.classes, mind.learner.net).draw(n * len(dreamer.classes), space.at("fidelity"))
        truth = self.oracle() if not layer else self._oracle_of(mind.learner.net, layer)
        agreed_N = truth.answer(batch.images_NCHW, only=dreamer.classes) == batch.labels_N
        parts = {space.classes[name]: agreed_N[batch.labels_N == name] for name in dreamer.classes}
        each = {name: _rounded(_share(part_N) if len(part_N) else None) for name, part_N in parts.items()}
        return {"agreement": round(_share(agreed_N), 6), "each": each}

    def _oracle_of(self, net: Classifier, layer: str) -> Classifier:
        inner = replace(entered(self._everything(), net, layer), layer="")
        return oracle(self.space.within(tuple(inner.images_NCHW.shape[1:]), ""), inner)

    def frontier(self, mind: Mind) -> Facts:
        """Images have no levels."""
        return {}

    def monitors(self, mind: Mind, seed: int) -> dict[str, float]:
        """Images have no monitors yet."""
        return {}

    def reach(self, dusks: Sequence[Mind], now: Mind, problems: int, samples: int, to: int | None) -> Facts:
        """Classes have no levels."""
        return {}

    def picture(self, folder: Path, step: int, mind: Mind, material: Batch, verdicts: Verdicts) -> list[dict[str, str]]:
        """A contact sheet of the round's dreams, beside the classes that they lie between; where they may become classes, a map too.

        The map shows them among real images of classes learned and still to come, so it is drawn where audits are on.
        """
        known = list(mind.dreamer.classes)
        drawn = mind.memory.recall(mind).draw(EXAMPLES * len(known), self.space.at("beside", step))
        first = {name: drawn.images_NCHW[place] for place, name in reversed(list(enumerate(drawn.labels_N.tolist())))}
        shown = contact_sheet(folder / f"{step:05d}-dreams.png", self.space, material, verdicts, first)
        if not shown or not self.dreamt or not self.recipe.evaluate.audit:
            return shown
        few: list[Batch] = []
        with self.guard.audit():
            for test in map(self.stream.test, self.stream.dealt):
                few.append(test.take(drawn_evenly(test.labels_N, MAPPED, self.space.at("map"))))
        real = Batch(torch.cat([part.images_NCHW for part in few]), torch.cat([part.labels_N for part in few]))
        return [*shown, *feature_map(folder / f"{step:05d}-map.png", mind.learner.net, real, known, material, verdicts)]

    def describe(self, material: Batch, verdicts: Verdicts) -> list[dict[str, Any]]:
        """Dreams of images are shown, not told."""
        return []


def placed(settings: Any, places: tuple[Path, ...]) -> Any:
    """A dreamer's settings with the folder of its frozen generator, or the file of its pictures, as a path that exists."""
    if isinstance(settings, PicturesDreamer):
        return settings.model_copy(update={"data": str(find(settings.data, places))})
    named = getattr(settings, "generator", None)
    if not isinstance(named, FolderGenerator):
        return settings
    found = {key: str(find(folder, places)) for key, folder in (("folder", named.folder), ("lora", named.lora)) if folder}
    return settings.model_copy(update={"generator": named.model_copy(update=found)})


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)


def _share(right_N: Tensor) -> float:
    return right_N.float().mean().item()
