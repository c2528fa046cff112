"""The learner: a classifier that gains rows as tasks open."""

from pathlib import Path

from sleepwake.domains.tensors import load_json, load_module, module_bytes, save_json, save_module
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.settings import CnnLearner, MlpLearner, Wake
from sleepwake.domains.vision.training import Shuffled, Source, train
from sleepwake.records import Facts, Task
from sleepwake.seeds import seed as seed_at


class Classifying:
    """An MLP or CNN with one head over all classes seen so far."""

    def __init__(self, settings: MlpLearner | CnnLearner, wake: Wake, space: Space) -> None:
        self.settings, self.wake, self.space = settings, wake, space
        self.net = Classifier(settings, space, space.at("learner"))

    def open(self, task: Task, seed: int) -> None:
        """Add a row for each class of the task; start afresh before, where the recipe says so."""
        if self.wake.restart:
            self.restart(self.net.classes, seed)
        self.net.grow(self.space.ids(task.parts), seed_at(seed, "rows"))

    def restart(self, classes: list[int], seed: int) -> None:
        """A new network with the same rows."""
        self.net = Classifier(self.settings, self.space, seed_at(seed, "restart"))
        self.net.grow(classes, seed_at(seed, "restart", "rows"))

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
        """Learn a task from its images mixed with replay; `learned` is the share answered right after it and not before."""
        before_N = self.net.answer(examples.images_NCHW) == examples.labels_N
        facts = learn(self.net, self.wake, task, examples, replay, seed)
        after_N = self.net.answer(examples.images_NCHW) == examples.labels_N
        return {**facts, "learned": round((after_N & ~before_N).float().mean().item(), 6)}

    def save(self, folder: Path) -> None:
        """Weights, and the class of each row."""
        save_classifier(self.net, folder)

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.net = load_classifier(self.settings, self.space, folder)

    def metrics(self) -> Facts:
        """Rows and bytes."""
        return {"rows": len(self.net.classes), "bytes": module_bytes(self.net)}


def learn(net: Classifier, wake: Wake, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
    """A day: L = (1/N) current + (1 - 1/N) replay, where N tasks have been begun (van de Ven & Tolias 2018, section 4)."""
    current = 1 / (task.index + 1) if replay is not None else 1.0
    parts: list[tuple[float, Source]] = [(current, Shuffled(examples))]
    if replay is not None:
        parts.append((1 - current, replay))
    return train(net, parts, wake.steps, wake.batch, wake.lr, seed)


def save_classifier(net: Classifier, folder: Path) -> None:
    """Weights, and the class of each row."""
    save_module(net, folder / "network.safetensors")
    save_json({"classes": net.classes}, folder / "rows.json")


def load_classifier(settings: MlpLearner | CnnLearner, space: Space, folder: Path) -> Classifier:
    """The classifier that a folder holds as network.safetensors and rows.json."""
    net = Classifier(settings, space, seed=0)
    net.grow(load_json(folder / "rows.json")["classes"], seed=0)
    load_module(net, folder / "network.safetensors")
    return net
