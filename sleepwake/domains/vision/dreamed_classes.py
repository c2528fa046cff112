"""Classes that never existed: what the dreamer keeps of them, how they get rows by night, and what they are by day."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.challengers import Challenge
from sleepwake.domains.vision.descent import adam
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.night_settings import ClassesRehearsal
from sleepwake.domains.vision.replay import previous_solver
from sleepwake.domains.vision.training import Beside, Source, Term, recalling, train
from sleepwake.domains.vision.wake_settings import DreamedClasses
from sleepwake.records import Facts, Task, Verdicts
from sleepwake.roles import Judge, Mind
from sleepwake.seeds import seed as seed_at


class Inventor(Protocol):
    """A dreamer that can draw what it has dreamed again.

    Attributes:
        inventory: what was asked of each dreamed class, by its id.
    """

    inventory: dict[int, Challenge]

    def observe(self, judge: Judge, seed: int) -> Facts:
        """Learn from the judge of a round how to dream the next time, where the dreamer does."""
        ...

    def adopt(self, name: int, challenge: Challenge) -> None:
        """Keep what makes the dreams of a challenge, under the id of a dreamed class."""
        ...

    def forget(self, names: Sequence[int]) -> None:
        """Keep no longer what makes these."""
        ...

    def again(self, names: Sequence[int], each: int, seed: int) -> Tensor:
        """Draw so many images (P, each, C, H, W) of each."""
        ...


def told(inventory: Mapping[int, Challenge]) -> dict[str, Facts]:
    """An inventory as JSON."""
    return {str(name): asdict(challenge) for name, challenge in inventory.items()}


def untold(state: Mapping[str, Facts]) -> dict[int, Challenge]:
    """What `told` said."""
    return {int(name): Challenge(**challenge) for name, challenge in state.items()}


@dataclass
class Dreams:
    """A source of dreamed classes, in equal parts, from a pool that is drawn once.

    Attributes:
        dreamer: draws; it must not learn meanwhile.
        names: ids of the dreamed classes.
        labels: what their images are taken for.
        pool: images of each.
    """

    dreamer: Inventor
    names: tuple[int, ...]
    labels: tuple[int, ...]
    pool: int
    drawn: Tensor | None = field(default=None, init=False)

    @torch.no_grad()
    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images with their labels."""
        if self.drawn is None:
            self.drawn = self.dreamer.again(self.names, self.pool, seed_at(seed, "pool"))
        chance, device = generator(seed), self.drawn.device
        place_N, rank_N = (torch.randint(most, (n,), generator=chance, device="cpu").to(device) for most in (len(self.names), self.pool))
        labels_P = torch.tensor(self.labels, dtype=torch.int64, device=device)
        return Batch(self.drawn[place_N, rank_N], labels_P[place_N])


def dreams_of(mind: Mind, settings: ClassesRehearsal, pool: int) -> Dreams | None:
    """All dreamed classes of a mind, labelled as the recipe says; None where there is none."""
    inventory, space = mind.dreamer.inventory, mind.learner.net.space
    own = [settings.label == "own" and not space.is_practised(name) for name in inventory]
    labels = [name if mine else inventory[name].shape for name, mine in zip(inventory, own, strict=True)]
    return Dreams(mind.dreamer, tuple(inventory), tuple(labels), pool) if inventory else None


class Classes:
    """Rehearsal that gives accepted dreams rows of their own."""

    def __init__(self, settings: ClassesRehearsal, space: Space) -> None:
        self.settings, self.space = settings, space

    def rehearse(
        self, mind: Mind, dusk: Callable[[], Mind], material: Batch, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Batch, Verdicts, Facts]:
        """Adopt the challenges whose dreams were accepted, as far as there are slots; train the learner in place on all dreamed classes.

        Args:
            mind: its dreamer keeps what makes the dreams; its memory, or its dreamer, says what was learned before.
            material: the round's dreams.
            verdicts: on them; None accepts all.
            rate: factor on the learning rate.
            seed: of all draws.
        """
        settings, net = self.settings, mind.learner.net
        verdicts = verdicts or Verdicts((1.0,) * len(material), ("",) * len(material))
        if settings.renew:
            mind.dreamer.forget(list(mind.dreamer.inventory))
            net.drop(net.dreamed)
        free = [name for name in range(len(self.space.classes), self.space.width) if name not in mind.dreamer.inventory]
        new, other = self._sorted(material, verdicts)
        adopted = list(zip(free, new, strict=False))
        beyond = range(self.space.width, self.space.width + settings.practise)
        practised = list(zip((name for name in beyond if name not in mind.dreamer.inventory), other, strict=False))
        for name, challenge in (*adopted, *practised):
            mind.dreamer.adopt(name, challenge)
        if settings.label == "own":
            net.grow([name for name, _ in adopted], seed_at(seed, "rows"))
        dreams = dreams_of(mind, settings, settings.batch)
        seen = mind.dreamer.observe(mind.judge, seed_at(seed, "observe"))
        classes = sum(not self.space.is_practised(name) for name in mind.dreamer.inventory)
        facts: Facts = {**seen, "adopted": len(adopted), "practised": len(practised), "dreamed_classes": classes}
        if dreams is None or not settings.steps:
            return material, verdicts, {**facts, "skipped": "nothing to train on"}
        before, rows = mind.memory.recall(mind), settings.learns == "rows"
        taught = net.dreamed if rows else None
        weights = (net.weight_RF, net.bias_R) if rows else net.parameters()
        sources = ((settings.share, dreams), (1 - settings.share, before))
        terms = [Term(share, source, settings.batch, taught=taught) for share, source in sources]
        if settings.recall:
            terms.append(Term(settings.recall, recalling(dreams, net.only(net.real)), settings.batch, net.real, taught))
        trained = train(net, terms, settings.steps, 0, seed_at(seed, "train"), adam(weights, settings.lr * rate))
        return material, verdicts, {**facts, **trained}

    def _sorted(self, material: Batch, verdicts: Verdicts) -> tuple[list[Challenge], list[Challenge]]:
        """Challenges with enough accepted dreams, the largest share first; and the others, the smallest first."""
        assert material.lures_N is not None
        assert material.distances_N is not None
        shares = defaultdict[Challenge, list[bool]](list)
        asked = zip(material.labels_N.tolist(), material.lures_N.tolist(), material.distances_N.tolist(), strict=True)
        for (shape, lure, distance), taken in zip(asked, verdicts.accepted, strict=True):
            shares[Challenge(shape, lure, round(distance, 6))].append(taken)
        share = {challenge: sum(taken) / len(taken) for challenge, taken in shares.items()}
        good = [challenge for challenge in share if share[challenge] >= self.settings.accept and share[challenge] > 0]
        others = [challenge for challenge in share if challenge not in good]
        return sorted(good, key=lambda challenge: -share[challenge]), sorted(others, key=lambda challenge: share[challenge])


class WithDreams:
    """A memory whose replay has dreamed classes beside it."""

    def __init__(self, memory: Any, rehearse: ClassesRehearsal, dreams: DreamedClasses, space: Space) -> None:
        self.memory, self.rehearse, self.dreams, self.space = memory, rehearse, dreams, space

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """Replay, and dreams where there are any; what became a class of the stream when the day was opened is dreamed no more."""
        replay: Source | None = self.memory.source(mind, task, examples, seed)
        if self.rehearse.label == "own":
            rows, names = mind.learner.net.classes, list(mind.dreamer.inventory)
            mind.dreamer.forget([name for name in names if not self.space.is_practised(name) and name not in rows])
        dreams = dreams_of(mind, self.rehearse, self.dreams.pool)
        if dreams is None or not (self.dreams.weight or self.dreams.recall):
            return replay
        solver = previous_solver(mind, self.space, task)
        recalled = recalling(dreams, solver) if solver is not None and self.dreams.recall else None
        return Beside(replay, dreams, self.dreams.weight, self.dreams.batch, self.dreams.recall, recalled)

    def recall(self, mind: Mind) -> Any:
        """What was learned so far, for the night."""
        return self.memory.recall(mind)

    def store(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Facts:
        """Keep what the memory keeps; no dream is stored."""
        stored: Facts = self.memory.store(mind, task, examples, seed)
        return stored

    def save(self, folder: Path) -> None:
        """As the memory does."""
        self.memory.save(folder)

    def load(self, folder: Path) -> None:
        """As the memory does."""
        self.memory.load(folder)

    def metrics(self) -> Facts:
        """The memory's."""
        facts: Facts = self.memory.metrics()
        return facts
