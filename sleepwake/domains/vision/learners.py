"""The learner: a classifier that gains rows as tasks open."""

from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains import load_class
from sleepwake.domains.tensors import load_json, load_module, load_tensors, module_bytes, save_json, save_module, save_tensors, tensor_bytes
from sleepwake.domains.vision.bodies import start
from sleepwake.domains.vision.descent import Step, adam, falling, moments, recall
from sleepwake.domains.vision.feedback import FeedbackClassifier, network
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.mapping import mapped
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.settings import CLASSES
from sleepwake.domains.vision.training import Beside, Shuffled, Source, Term, day_share, train
from sleepwake.domains.vision.wake_settings import NetworkLearner, SoftmaxHead, Wake
from sleepwake.records import Facts, Look, Task
from sleepwake.seeds import seed as seed_at


class Classifying:
    """A network trained by gradients, with one head over all classes seen so far, or one a task where tasks are told.

    A method is what the recipe's [wake] chooses: where replay comes from and what it aims at, the penalty, the head.
    """

    def __init__(self, settings: NetworkLearner, wake: Wake, space: Space) -> None:
        self.settings, self.wake, self.space = settings, wake, space
        self.net = fresh(settings, space, wake.layer, space.at("learner"))
        self.earlier = self.net
        """What knew the earlier tasks when the newest was opened: another network than `net` where each day starts afresh."""
        self.moments: dict[str, Tensor] = {}
        """What the optimizer knows of past gradients, where it lasts."""
        self.penalty: Any = load_class(CLASSES["penalty"][wake.penalty.type])(wake.penalty)
        self.head: Any = load_class(CLASSES["head"][wake.head.type])(wake.head)

    def open(self, task: Task, seed: int, examples: Batch | None = None) -> None:
        """Add a row for each new class of the task; start afresh before, where the recipe says so.

        Where there are rows of dreamed classes that win the new classes' examples, the new classes begin with these, and the dreams end.
        """
        self.earlier = self.net
        if self.wake.restart:
            self.restart(self.net.classes, seed)
        new = [name for name in self.space.ids(task.parts) if name not in self.net.classes]
        self.net.grow(new, seed_at(seed, "rows"))
        if self.wake.dreams.mapping == "wins" and examples is not None and new and self.net.dreamed:
            given = mapped(self.net, examples, new, self.net.dreamed)
            self.net.hand_over(given)
            self.net.drop(list(given))

    def restart(self, classes: list[int], seed: int) -> None:
        """A new network with the same rows."""
        self.net = fresh(self.settings, self.space, self.wake.layer, seed_at(seed, "restart"))
        self.net.grow(classes, seed_at(seed, "restart", "rows"))

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int, look: Look | None = None) -> Facts:
        """Learn a task from its images mixed with replay; `learned` is the share answered right after it and not before."""
        net, wake, only = self.net, self.wake, self.space.among(task.parts)
        with_dreams, replay = replay, replay.replay if isinstance(replay, Beside) else replay
        examples, held = self.head.hold(examples, seed_at(seed, "held")) if replay is not None else (examples, None)
        before_N = net.answer(examples.images_NCHW, only) == examples.labels_N
        self.head.begin(net, task, replay is not None, seed_at(seed, "head"))
        self.penalty.begin(net)
        parts, optimizer = terms(wake, self.space, task, examples, with_dreams), self._optimizer(task)
        if isinstance(net, FeedbackClassifier):
            parts = [replace(part, also=net.generative) for part in parts]
        steps = wake.steps_of(task.index)

        def take(step: Step) -> None:
            self.penalty.take(net, step)

        facts = train(
            net, parts, steps, wake.lr, seed, optimizer,
            extra=lambda: self.penalty.loss(net), take=falling(optimizer, wake.end_factor, steps, take), look=look,
        )  # fmt: skip
        if wake.moments == "kept":
            self.moments = moments(optimizer, net.named_parameters())
        self.penalty.end(net, examples, seed_at(seed, "penalty"))
        replayed = steps * (wake.replay_batch or wake.batch) if replay is not None else 0
        self.head.end(net, examples, replay, replayed, is_negative(wake), seed_at(seed, "head", "end"))
        if held is not None and replay is not None:
            self.head.correct(net, held, replay, seed_at(seed, "head", "correct"))
        after_N = net.answer(examples.images_NCHW, only) == examples.labels_N
        return {**facts, "learned": round((after_N & ~before_N).float().mean().item(), 6)}

    def _optimizer(self, task: Task) -> torch.optim.Optimizer:
        net, wake, fade = self.net, self.wake, faded(self.wake, task.index + 1)
        body_lr, lr = wake.rates_of(task.index)
        frozen = task.index > 0 and self.head.freezes
        beside = [part for name, part in net.named_parameters() if not name.startswith("body.")]
        groups: Any = [{"params": beside, "lr": fade * lr}]
        if not frozen:
            groups.insert(0, {"params": list(net.body.parameters()), "lr": fade * body_lr})
        if wake.optimizer == "sgd":
            optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, lr=wake.lr, momentum=wake.momentum, weight_decay=wake.weight_decay)
        else:
            optimizer = adam(groups, wake.lr)
        recall(optimizer, net.named_parameters(), self.moments)
        return optimizer

    def save(self, folder: Path) -> None:
        """Weights, the class of each row, and what penalty and head keep."""
        save_classifier(self.net, folder)
        save_tensors(self.moments, folder / "moments.safetensors")
        self.penalty.save(folder)
        save_json(self.head.state(), folder / "head.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.net = load_classifier(self.settings, self.space, folder, self.wake.layer)
        self.moments = load_tensors(folder / "moments.safetensors", self.space.device)
        self.penalty.load(folder, self.space.device)
        self.head.restore(load_json(folder / "head.json"))

    def metrics(self) -> Facts:
        """Rows and bytes."""
        beside = self.penalty.bytes + tensor_bytes(self.moments)
        return {"rows": len(self.net.classes), "bytes": module_bytes(self.net) + beside, "memory": {"snapshots": beside}}


def fresh(settings: NetworkLearner, space: Space, layer: str, seed: int) -> Classifier:
    """A classifier that has learned nothing, but for the weights that its settings name."""
    net = network(settings, space, layer, seed)
    start(net.body, settings)
    return net


def faded(wake: Wake, day: int) -> float:
    """The factor on the rates of a day, counted from 1 (Graffieti et al., ICLR 2022 submission, equation 16, and a floor of our own)."""
    if wake.schedule == "constant":
        return 1.0
    return max(wake.faintest, 1 - 1 / (1 + exp(8 - 1.5 * day)))


def terms(wake: Wake, space: Space, task: Task, examples: Batch, replay: Source | None) -> list[Term]:
    """A day's loss: r current + (1 - r) replay (Shin et al. 2017, equation 1), r = 1/N after N tasks (van de Ven & Tolias 2018).

    Dreams of classes that never existed take their weight off both.
    """
    if isinstance(replay, Beside):
        others = terms(wake, space, task, examples, replay.replay)
        awake = [replace(term, weight=(1 - replay.weight) * term.weight) for term in others]
        beside = [*awake, Term(replay.weight, replay.dreams, replay.batch)]
        if replay.recalled is None:
            return beside
        return [*beside, Term(replay.recall, replay.recalled, replay.batch, among=space.before(task.index))]
    ids, told = space.ids(task.parts), space.told
    alone = isinstance(wake.head, SoftmaxHead) and wake.head.active == "task"
    current = day_share(wake.ratio, task) if replay is not None else 1.0
    day = [Term(current, Shuffled(examples), wake.batch, among=ids if alone or told else None)]
    if replay is None:
        return day
    masked = is_negative(wake) and wake.head.type != "cwr"  # CWR puts rows of replayed classes back when the day ends
    return [*day, Term(1 - current, replay, wake.replay_batch or wake.batch, taught=ids if masked else None)]


def is_negative(wake: Wake) -> bool:
    """Whether replay may move no row of its own classes."""
    return getattr(wake.replay, "mode", "") == "negative"


def learn(net: Classifier, wake: Wake, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
    """A plain day of a network beside the learner: the same loss, without penalty and head."""
    return train(net, terms(wake, net.space, task, examples, replay), wake.steps_of(task.index), wake.rates_of(task.index)[1], seed)


def save_classifier(net: Classifier, folder: Path) -> None:
    """Weights, and the class of each row."""
    save_module(net, folder / "network.safetensors")
    save_json({"classes": net.classes, "means": net.means_RF is not None}, folder / "rows.json")


def load_classifier(settings: NetworkLearner, space: Space, folder: Path, layer: str = "") -> Classifier:
    """The classifier that a folder holds as network.safetensors and rows.json."""
    net = network(settings, space, layer, seed=0)
    rows = load_json(folder / "rows.json")
    net.grow(rows["classes"], seed=0)
    net.means_RF = torch.empty_like(net.weight_RF.detach()) if rows["means"] else None
    load_module(net, folder / "network.safetensors")
    return net
