"""The roles of a mind, as Protocols, and the mind that holds them.

Batches are the domain's own: the core asks them for their length and for a selection, and never opens them.
Every role saves itself into a folder (safetensors, PEFT adapters, JSON, PNG), loads itself by copying, and reports metrics.
Seeds are always passed in; nothing draws from a random state that outlives the call.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from sleepwake.records import Facts, Look, Probe, Task, Verdicts


class Batch(Protocol):
    """Dreams, problems with attempts, examples: a container of the domain."""

    def __len__(self) -> int: ...
    def select(self, mask: Sequence[bool]) -> Self:
        """The items where the mask is true, in order."""
        ...

    def concat(self, other: Self) -> Self:
        """These items, then the others."""
        ...


class Source(Protocol):
    """Replay, drawn batch by batch and never all at once."""

    def draw(self, n: int, seed: int) -> Batch:
        """N items; the same seed gives the same items."""
        ...


class Part(Protocol):
    """What every role can do: be saved, be loaded by copying, and tell its size and state."""

    def save(self, folder: Path) -> None:
        """Write all state into an existing empty folder."""
        ...

    def load(self, folder: Path) -> None:
        """Copy the state saved in the folder into this fresh role."""
        ...

    def metrics(self) -> Facts:
        """JSON values worth journaling at a commit; `bytes` is what the role stores."""
        ...


class Learner(Part, Protocol):
    """The model that learns."""

    def open(self, task: Task, seed: int, examples: Any = None) -> None:
        """Make room for a task (output rows, head mapping) before anything of it is learned; rows may be chosen by its examples."""
        ...

    def learn(self, task: Task, examples: Any, replay: Source | None, seed: int, look: Look | None = None) -> Facts:
        """Learn a task by day from its data mixed with replay; a learner that takes no optimizer steps is not looked at."""
        ...


class Dreamer(Part, Protocol):
    """Makes material by night."""

    def fit(self, task: Task, examples: Any, replay: Source | None, learner: Any, seed: int) -> Facts:
        """Learn by day to make material of this task."""
        ...

    def dream(self, challenges: Any, learner: Any, seed: int) -> Batch:
        """Material for the challenges, with the learner's attempts where the domain has attempts."""
        ...


class Challenger(Part, Protocol):
    """Sets what to practise, and how hard."""

    def propose(self, mind: "Mind", seed: int) -> Any:
        """Challenges for this round, from what the mind itself can tell."""
        ...

    def observe(self, challenges: Any, material: Any, verdicts: Verdicts) -> Facts:
        """Take in the round's verdicts; may raise or lower difficulty."""
        ...

    def level(self) -> Mapping[str, float]:
        """Current difficulty, by name."""
        ...


class Judge(Part, Protocol):
    """Rewards material without ground truth."""

    def learn(self, task: Task, examples: Any, replay: Source | None, seed: int) -> Facts:
        """Learn by day beside the learner; does nothing where the judge is the learner's own snapshot."""
        ...

    def freeze(self, commit: Path) -> None:
        """Take the snapshot to judge with from the last commit; it doesn't move within a round."""
        ...

    def verdicts(self, material: Any, seed: int) -> Verdicts:
        """A verdict an item. Malformed items earn 0; a judge that can't tell abstains with a reason."""
        ...


class Memory(Part, Protocol):
    """Where replay comes from by day: nothing, stored examples, noise, or the dreamer."""

    def source(self, mind: "Mind", task: Task, examples: Any, seed: int) -> Source | None:
        """Replay for all tasks before this one; holds copies of whatever must not move while the learner learns."""
        ...

    def store(self, mind: "Mind", task: Task, examples: Any, seed: int) -> Facts:
        """Keep what will be needed of this task."""
        ...


class Probes(Part, Protocol):
    """What the gate looks at."""

    def keep(self, task: Task, examples: Any, seed: int) -> Any:
        """Hold some of the day's data back; returns the rest."""
        ...

    def draw(self, mind: "Mind", seed: int) -> None:
        """Draw dreamed probes at dusk; does nothing where probes are kept."""
        ...

    def score(self, learner: Any, seed: int) -> tuple[Probe, ...]:
        """One probe result a task learned so far."""
        ...


class Rehearsal(Protocol):
    """How the learner trains by night on the round's material."""

    def rehearse(
        self, mind: "Mind", dusk: Callable[[], "Mind"], material: Any, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Any, Verdicts, Facts]:
        """Train on the accepted; methods that sample attempts themselves return those and their verdicts instead.

        `dusk` loads the mind as it was when the night began, for methods that must not stray far from it.
        """
        ...


class Consolidation(Protocol):
    """How a night's result is folded into the lasting weights."""

    def consolidate(self, mind: "Mind", dusk: "Mind", seed: int) -> Facts:
        """Fold; `dusk` is the mind as it was when the night began."""
        ...


@dataclass
class Mind:
    """Learner, dreamer, challenger and judge of one domain, with the memory and the probes that belong to them."""

    learner: Any
    dreamer: Any
    challenger: Any
    judge: Any
    memory: Any
    probes: Any

    def parts(self) -> dict[str, Part]:
        """The roles by name, in the order in which they are saved."""
        names = ("learner", "dreamer", "challenger", "judge", "memory", "probes")
        return {name: getattr(self, name) for name in names}

    def save(self, folder: Path) -> None:
        """Write each role into a folder of its own."""
        for name, part in self.parts().items():
            (folder / name).mkdir()
            part.save(folder / name)

    def load(self, folder: Path, but: Sequence[str] = ()) -> None:
        """Copy a commit into this mind's roles, all but the named ones."""
        for name, part in self.parts().items():
            if name not in but:
                part.load(folder / name)


class NightBreachError(AssertionError):
    """Ground truth or task data was read by night outside an audit: a defect of ours, never a user's mistake."""


@dataclass
class Guard:
    """Says whether task data and ground truth may be read: by day, and in audits."""

    closed: bool = False
    audits: int = field(default=0)

    @contextmanager
    def night(self) -> Iterator[None]:
        """Nothing but audits may read within."""
        self.closed = True
        try:
            yield
        finally:
            self.closed = False

    @contextmanager
    def audit(self) -> Iterator[None]:
        """A measurement; what is read within must not reach training, judge or gate."""
        self.audits += 1
        try:
            yield
        finally:
            self.audits -= 1

    def check(self, what: str) -> None:
        """Raise where reading is not allowed."""
        if self.closed and not self.audits:
            raise NightBreachError(f"{what} was read by night outside an audit")


class Domain(Protocol):
    """What `build` gives: the stream and the way to a fresh mind. All its reads pass the guard."""

    tasks: Sequence[Task]
    tests: Sequence[str]
    test_sizes: Sequence[int]
    metric: str
    labels: str
    guard: Guard
    rehearsal: Rehearsal
    consolidation: Consolidation

    def mind(self) -> Mind:
        """A fresh mind, the same at every call; nothing learned."""
        ...

    def examples(self, task: Task) -> Any:
        """A task's data for the day."""
        ...

    def evaluate(self, mind: Mind, seen: int, scope: str) -> list[float | None]:
        """Test scores in the order of `tests`: of the first `seen` tasks, or of all where the scope is "all"."""
        ...

    def ahead(self, mind: Mind, task: Task) -> dict[str, float | None]:
        """Scores in [0, 1] on a task that was opened but not learned: gem, masked, remap, probe, speed; None where not measured."""
        ...

    def audit(self, mind: Mind, material: Any, verdicts: Verdicts) -> Facts:
        """Precision and recall of a round's verdicts against ground truth."""
        ...

    def frontier(self, mind: Mind) -> Facts:
        """Audited frontier a family; empty where the domain has no levels."""
        ...

    def fidelity(self, mind: Mind, n: int) -> Facts:
        """How far ground truth agrees with what the dreamer takes its draws for: `agreement`, in [0, 1], of n draws a class.

        Empty where nothing is drawn that could be looked at.
        """
        ...

    def monitors(self, mind: Mind, seed: int) -> dict[str, float]:
        """How diverse the mind's own material is, by name, the more the better; read by night, so without ground truth."""
        ...

    def reach(self, dusks: Sequence[Mind], now: Mind, problems: int, samples: int, to: int | None) -> Facts:
        """What many samples of so many problems a level reach, at the dusks (oldest first) and now, as `summary.json` has it.

        Levels above `to` are left out. Empty where the domain has no levels.
        """
        ...

    def picture(self, folder: Path, step: int, mind: Mind, material: Any, verdicts: Verdicts) -> list[dict[str, str]]:
        """Write pictures of a round's dreams as `<step:05d>-*.png` into the folder: [{"file": "pictures/...", "caption": ...}]."""
        ...

    def describe(self, material: Any, verdicts: Verdicts) -> list[dict[str, Any]]:
        """A few dreams as text for the journal (problem, answer, reward, reason); empty where dreams are pictures."""
        ...
