"""What a vision recipe can say of practice, verdicts, rehearsal and consolidation. Imports no torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sleepwake.settings import Own, Settings


class NoChallenger(Settings):
    """Nothing is practised."""

    type: Literal["none"] = "none"
    """For recipes without nights."""


class ConfusionChallenger(Settings):
    """Practises the pairs of classes that the learner confuses on its own dreams."""

    type: Literal["confusion"]
    """Pairs with the largest confusion, each with a distance that verdicts raise and lower."""
    pairs: int = Field(default=8, ge=1)
    """Pairs (a, b) a round."""
    draws: int = Field(default=64, ge=1)
    """Dreams a class from which confusion is measured."""
    start: float = Field(default=0.3, gt=0, le=1)
    """Distance of a new pair: how far a dream of a leans towards b."""
    step: float = Field(default=0.1, gt=0, le=1)
    """By how much a distance is raised or lowered after a round."""
    easy: float = Field(default=0.8, ge=0, le=1)
    """A pair's distance is raised where at least this share of its dreams was accepted."""
    hard: float = Field(default=0.5, ge=0, le=1)
    """A pair's distance is lowered where less than this share of its dreams was accepted."""


class RandomChallenger(Settings):
    """Control: pairs at random, all at one distance."""

    type: Literal["random"]
    """Doesn't look at the learner or at verdicts."""
    pairs: int = Field(default=8, ge=1)
    """Pairs (a, b) a round."""
    distance: float = Field(default=0.3, gt=0, le=1)
    """How far a dream of a leans towards b."""
    nearer: Annotated[float, Field(ge=0.0001, lt=1)] | Literal[0] = 0
    """Where there are fewer pairs than asked for, they come again, each time less far by this; 0: they don't."""


Challenger = Annotated[NoChallenger | ConfusionChallenger | RandomChallenger, Field(discriminator="type")]


class NoJudge(Settings):
    """Nothing is judged."""

    type: Literal["none"] = "none"
    """For recipes without nights."""


class PeersJudge(Settings):
    """Smaller classifiers with seeds of their own, trained by day on the same batches; they judge by agreement."""

    type: Literal["peers"]
    """Accepts where they agree on the intended class, rejects where they agree on another, abstains where they disagree."""
    members: int = Field(default=2, ge=1)
    """How many classifiers."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[128, 128], min_length=1)
    """Units of each member's hidden layers."""
    confidence: float = Field(default=0.5, ge=0.5, le=1)
    """Least mean probability of the intended class for a dream to be accepted."""


class NoveltyJudge(Settings):
    """The same networks, asked whether a dream is of none of the classes that they know."""

    type: Literal["novelty"]
    """They never see a dream and never guide one. Rejects what has collapsed onto a known class, and copies of another dream."""
    members: int = Field(default=2, ge=1)
    """How many classifiers."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[128, 128], min_length=1)
    """Units of each member's hidden layers."""
    known: float = Field(default=0.9, gt=0, le=1)
    """A dream is of a known class where the members' mean probability of one is above this."""
    copy_within: float = Field(default=0.02, ge=0)
    """A dream is a copy where its pixels' root mean square distance from an earlier one is below this."""


class SelfJudge(Settings):
    """Control: the learner's own snapshot of the round's start."""

    type: Literal["self"]
    """It shares the learner's blind spots."""
    confidence: float = Field(default=0.5, ge=0.5, le=1)
    """Least probability of the intended class for a dream to be accepted."""


class RandomJudge(Settings):
    """Control: accepts at random."""

    type: Literal["random"]
    """It doesn't look at the dream."""
    accept: float = Field(default=0.5, ge=0, le=1)
    """Share of dreams accepted."""


class OracleJudge(Settings):
    """Control: a classifier that was trained on the real data of the whole stream. Not a method: it has seen the future."""

    type: Literal["oracle"]
    """The bound of what a better judge could bring."""


Judge = Annotated[NoJudge | PeersJudge | NoveltyJudge | SelfJudge | RandomJudge | OracleJudge | Own, Field(discriminator="type")]


class SupervisedRehearsal(Settings):
    """Train on accepted dreams, mixed with ordinary draws of every class seen."""

    needs: ClassVar[tuple[str, ...]] = ("dreams",)
    type: Literal["supervised"] = "supervised"
    """Without a judge stage every dream counts as accepted."""
    steps: int = Field(default=150, ge=1)
    """Optimizer steps a round."""
    batch: int = Field(default=64, ge=1)
    """Accepted dreams a step, and as many ordinary draws."""
    lr: float = Field(default=5e-4, gt=0)
    """Learning rate (Adam); halved for each night rolled back."""
    share: float = Field(default=0.3, ge=0, le=1)
    """Weight of the dreams in the loss; the rest is ordinary draws."""
    target: Literal["hard", "ensemble"] = "hard"
    """Hard: the intended class. Ensemble: mean response of the judge's members and of the learner at the round's start."""
    temperature: float = Field(default=2.0, gt=0)
    """Softens the ensemble's response."""
    fewest: int = Field(default=16, ge=1)
    """With fewer accepted dreams the round doesn't train."""


class ClassesRehearsal(Settings):
    """Accepted dreams become classes of their own, with rows that are trained on them beside what was known (after Dream2Learn)."""

    needs: ClassVar[tuple[str, ...]] = ("dreams",)
    type: Literal["classes"]
    """Without a judge stage every dream counts as accepted."""
    slots: int = Field(default=10, ge=1)
    """How many dreamed classes there may be; a slot is free again when its row has gone to a new class of the stream."""
    accept: float = Field(default=0.5, ge=0, le=1)
    """A challenge becomes a class where at least this share of its dreams was accepted."""
    practise: int = Field(default=0, ge=0)
    """How many of the other challenges, the least new first, are practised as the class that they began at, this night and by day."""
    renew: bool = False
    """Begin each round without the dreamed classes of those before: they were dreamed between classes as the learner then knew them."""
    label: Literal["own", "shape"] = "own"
    """Own: a row of its own. Shape (control): the class that it was dreamed from, so that dreams only augment."""
    learns: Literal["all", "rows"] = "all"
    """What a round changes. Rows: those of dreamed classes alone, so that no answer about a real class changes before the next day."""
    steps: int = Field(default=150, ge=0)
    """Optimizer steps a round; 0 (control): rows that were never trained."""
    batch: int = Field(default=64, ge=1)
    """Dreams a step, and as many of what was learned before."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate (Adam); halved for each night rolled back."""
    share: float = Field(default=0.3, ge=0, le=1)
    """Weight of the dreams in the loss."""
    recall: float = Field(default=0.0, ge=0)
    """Weight of what the learner at dusk said of the dreams, among the classes of the stream; added to the loss."""


Rehearse = Annotated[SupervisedRehearsal | ClassesRehearsal, Field(discriminator="type")]


class DistilConsolidation(Settings):
    """Distil the night's result and the dusk teacher together, on draws of every class seen."""

    needs: ClassVar[tuple[str, ...]] = ()
    type: Literal["distil"] = "distil"
    """The learner keeps what it has gained where the teacher doesn't contradict it."""
    steps: int = Field(default=150, ge=1)
    """Optimizer steps a night."""
    batch: int = Field(default=128, ge=1)
    """Draws a step."""
    lr: float = Field(default=5e-4, gt=0)
    """Learning rate (Adam)."""
    dusk: float = Field(default=0.5, ge=0, le=1)
    """Weight of the dusk teacher's response; the rest is the night learner's."""
    temperature: float = Field(default=2.0, gt=0)
    """Softens both responses."""


Consolidate = DistilConsolidation
