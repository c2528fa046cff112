"""The judge: is a dream of class a still an a? It has no ground truth, only networks that are not the learner."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sleepwake.domains.tensors import generator, module_bytes
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.learners import learn, load_classifier, save_classifier
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.night_settings import NoJudge as NoJudgeSettings
from sleepwake.domains.vision.night_settings import OracleJudge, PeersJudge, RandomJudge, SelfJudge
from sleepwake.domains.vision.training import Answered, Beside, Source
from sleepwake.domains.vision.wake_settings import MlpLearner, NetworkLearner, Wake
from sleepwake.records import Facts, Task, Verdicts
from sleepwake.seeds import seed as seed_at


def agreement(members: list[Classifier], material: Batch, confidence: float) -> Verdicts:
    """Verdicts of networks that judge by agreement.

    The reward is the members' mean probability of the intended class; where they don't agree on one class, or agree on the intended one
    without the confidence, they abstain.
    """
    assert members, "the judge was not frozen"
    classes = members[0].space.classes
    chances_MNK = torch.stack([member.response(material.images_NCHW) for member in members])
    said_MN = chances_MNK.argmax(dim=2)
    agreed_N = (said_MN == said_MN[0]).all(dim=0).tolist()
    intended = material.labels_N.tolist()
    mean_N = chances_MNK.mean(dim=0).gather(1, material.labels_N[:, None])[:, 0].clamp(0.0, 1.0).tolist()
    rewards: list[float | None] = []
    reasons: list[str] = []
    for agreed, said, label, chance in zip(agreed_N, said_MN[0].tolist(), intended, mean_N, strict=True):
        if not agreed:
            rewards.append(None)
            reasons.append("the judges disagree")
        elif said != label:
            rewards.append(min(chance, 0.499999))  # two that agree on another class by a hair can still have a mean of one half
            reasons.append(f"looks like {classes[said]}")
        elif chance < confidence:
            rewards.append(None)
            reasons.append("the judges are unsure")
        else:
            rewards.append(chance)
            reasons.append("")
    return Verdicts(tuple(rewards), tuple(reasons), threshold=confidence)


@dataclass(frozen=True)
class Surroundings:
    """What judges are built with besides their settings.

    Attributes:
        space: images and classes.
        learner: shape of the learner.
        wake: how a day goes.
        oracle: trains a classifier on the real data of the whole stream; only the control may call it.
    """

    space: Space
    learner: NetworkLearner
    wake: Wake
    oracle: Callable[[], Classifier]


class Untaught:
    """What all judges have; those that learn nothing by day and keep nothing have no more.

    Attributes:
        frozen: the networks that judge, as they were in the last commit.
    """

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.frozen: list[Classifier] = []

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
        """Learns nothing."""
        return {}

    def freeze(self, commit: Path) -> None:
        """Nothing to take."""

    def independent(self) -> list[Classifier]:
        """Networks with seeds of their own that know every class so far: what dreamed probes are marked by."""
        return []

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""

    def metrics(self) -> Facts:
        """No bytes."""
        return {"bytes": 0}


class NoJudge(Untaught):
    """Judges nothing."""

    def __init__(self, settings: NoJudgeSettings, around: Surroundings) -> None:
        super().__init__(around)


class Peers(Untaught):
    """Smaller classifiers with seeds of their own, trained by day on the same batches.

    Replayed images get each member's own earlier response, not the learner's, so that the members stay independent of it.
    """

    def __init__(self, settings: PeersJudge, around: Surroundings) -> None:
        super().__init__(around)
        self.settings = settings
        self.shape = MlpLearner(hidden=settings.hidden)
        places = range(settings.members)
        self.members = [Classifier(self.shape, around.space, around.space.at("judge", place)) for place in places]

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
        """Each member learns the task as the learner does, with draws of its own."""
        told: list[Facts] = []
        replay = replay.replay if isinstance(replay, Beside) else replay
        for place, member in enumerate(self.members):
            own = replay
            if isinstance(replay, Answered):
                own = replace(replay, solvers=[member.copy()])
            member.grow(self.around.space.ids(task.parts), seed_at(seed, place, "rows"))
            told.append(learn(member, self.around.wake, task, examples, own, seed_at(seed, place)))
        return {
            "members": len(told),
            "steps": sum(facts["steps"] for facts in told),
            "samples": sum(facts["samples"] for facts in told),
            "loss_last": [facts["loss_last"] for facts in told],
        }

    def freeze(self, commit: Path) -> None:
        """Take the members as they were in the last commit."""
        self.frozen = self._read(commit / "judge")

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        """By agreement."""
        return agreement(self.frozen, material, self.settings.confidence)

    def independent(self) -> list[Classifier]:
        """The members."""
        return self.members

    def save(self, folder: Path) -> None:
        """Each member in a folder of its own."""
        for place, member in enumerate(self.members):
            (folder / f"member-{place}").mkdir()
            save_classifier(member, folder / f"member-{place}")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.members = self._read(folder)

    def _read(self, folder: Path) -> list[Classifier]:
        places = range(self.settings.members)
        return [load_classifier(self.shape, self.around.space, folder / f"member-{place}") for place in places]

    def metrics(self) -> Facts:
        """Members and bytes."""
        size = sum(module_bytes(member) for member in self.members)
        return {"members": len(self.members), "bytes": size, "memory": {"snapshots": size}}


class Self(Untaught):
    """Control: the learner judges itself, as it was when the round began."""

    def __init__(self, settings: SelfJudge, around: Surroundings) -> None:
        super().__init__(around)
        self.settings = settings

    def freeze(self, commit: Path) -> None:
        """Take the learner as it was in the last commit."""
        self.frozen = [load_classifier(self.around.learner, self.around.space, commit / "learner", self.around.wake.layer)]

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        """Its own answer."""
        return agreement(self.frozen, material, self.settings.confidence)


class Random(Untaught):
    """Control: accepts at random."""

    def __init__(self, settings: RandomJudge, around: Surroundings) -> None:
        super().__init__(around)
        self.settings = settings

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        """1 or 0, without a look at the dream."""
        chances_N = torch.rand(len(material), generator=generator(seed), device="cpu")
        accepted = (chances_N < self.settings.accept).tolist()
        return Verdicts(tuple(map(float, accepted)), tuple("" if lucky else "by chance" for lucky in accepted))


class Oracle(Untaught):
    """Control: a classifier that has seen all the real data of the stream, those of later tasks too."""

    def __init__(self, settings: OracleJudge, around: Surroundings) -> None:
        super().__init__(around)
        self.settings = settings

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        """The oracle's answer."""
        return agreement([self.around.oracle()], material, confidence=0.5)
