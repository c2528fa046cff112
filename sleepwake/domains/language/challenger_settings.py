"""What a language recipe can say of challengers. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from sleepwake.settings import Settings


class Rungs(Settings):
    """What challengers that count one level a family have in common."""

    type: str
    problems: int = Field(150, ge=4, le=10_000)
    """Problems a family and round, spread evenly over the challenged levels."""
    by: Literal["problems", "attempts"] = "problems"
    """A level's share: of problems with an accepted attempt, or of attempts that say what was accepted. Where a trainer samples many
    attempts a problem, one of them is soon accepted while the others are wrong."""
    raise_at: float = Field(0.85, gt=0, le=1)
    """Share from which the level rises."""
    lower_at: float = Field(0.1, ge=0, lt=1)
    """Share below which the level falls by one (never below the first level above the day's)."""
    practice: int = Field(150, ge=1, le=10_000)
    """Accepted lines kept for practice, a family and level."""


class Ladder(Rungs):
    """A level per family, raised as verdicts allow."""

    type: Literal["ladder"] = "ladder"
    """One step up when enough was accepted."""
    ahead: int = Field(2, ge=0, le=20)
    """Most levels beyond the current one that are challenged too: where the learner already answers some, they teach
    more than the current one."""
    hope: float = Field(0.3, ge=0, le=1)
    """Share at a level in the last round from which the level above it is challenged too."""
    push: int = Field(3, ge=1, le=20)
    """Where fewer than `hope` were accepted at the current level in the last round, so many times more problems are set."""
    lead: int = Field(8, ge=0)
    """A family that is more than this many levels above the slowest one is not challenged."""


class Curriculum(Settings):
    """What challengers that draw levels by a score have in common."""

    type: str
    problems: int = Field(150, ge=4, le=10_000)
    """Problems a family and round, spread evenly over the drawn levels."""
    width: int = Field(3, ge=1, le=100)
    """Levels drawn a family and round, without replacement, the likelier the higher their score."""
    ahead: int = Field(2, ge=1, le=20)
    """Most levels above the highest that gave hope that can be drawn; what was never tried scores 1."""
    hope: float = Field(0.3, ge=0, le=1)
    """Share of accepted problems from which a level gives hope."""
    raise_at: float = Field(0.85, gt=0, le=1)
    """Share from which a level counts as passed; consolidation takes what is below the first that wasn't for known."""
    practice: int = Field(150, ge=1, le=10_000)
    """Accepted lines kept for practice, a family and level."""


class Uncertainty(Curriculum):
    """Levels that are solved half of the time (R-Zero, arXiv 2508.05004)."""

    type: Literal["uncertainty"]
    """Score = 1 - 2 |p - 1/2|, less a penalty for near-copies."""
    copies: float = Field(1.0, ge=0)
    """Weight of the penalty: the share of a level's last problems that are near-copies (1 - BLEU below 0.5) of any that was set before."""


class Learnability(Curriculum):
    """Levels that are hard and not hopeless (Absolute Zero, arXiv 2505.03335)."""

    type: Literal["learnability"]
    """Score = 1 - p where p > 0, 0 otherwise."""


class Progress(Curriculum):
    """Levels on which the share changes, up or down (learning progress, arXiv 1707.00183)."""

    type: Literal["progress"]
    """Score = |p - p in the round before|."""


class Prioritised(Curriculum):
    """Levels by the rank of what is left to learn, and by how long ago they were tried (PLR, arXiv 2010.03934)."""

    type: Literal["prioritised"]
    """Score = learnability; drawn by rank."""
    temperature: float = Field(0.3, gt=0)
    """Of the rank: its weight is rank^(-1 / temperature)."""
    stale: float = Field(0.1, ge=0, le=1)
    """Share of the weight that goes by rounds since a level was tried."""


class Learned(Rungs):
    """The model writes the problems itself, under a LoRA of its own that GRPO trains on validity x learnability x novelty."""

    type: Literal["learned"]
    """On the learner as it stands; needs learner.fast = "full"."""
    problems: int = Field(150, ge=4, le=10_000)
    """Problems written a family and round, of whatever level; malformed and repeated ones are left out."""
    rank: int = Field(8, ge=1, le=256)
    """Of the LoRA."""
    steps: int = Field(6, ge=1, le=10_000)
    """GRPO steps a round."""
    prompts: int = Field(16, ge=1, le=1024)
    """Beginnings a step, drawn over all families; as many are made of each."""
    generations: int = Field(8, ge=2, le=128)
    """Problems written from each beginning."""
    rate: float = Field(1e-3, gt=0, le=1)
    """Learning rate."""
    attempts: int = Field(4, ge=1, le=64)
    """The learner's attempts at each problem, of which the judge's accepted share is p."""
    archive: int = Field(2000, ge=1, le=1_000_000)
    """Newest problems kept a family; a new one is compared with all of them."""


class Even(Settings):
    """The same practice each round, for families without levels, or as a control that never sets anything harder."""

    type: Literal["even"]
    """As many problems of each family."""
    level: int = Field(1, ge=1)
    """The level of all of them."""
    problems: int = Field(64, ge=4, le=10_000)
    """Problems a family and round."""
    practice: int = Field(150, ge=1, le=10_000)
    """Accepted lines kept for practice, a family."""


Challenger = Annotated[Ladder | Uncertainty | Learnability | Progress | Prioritised | Learned | Even, Field(discriminator="type")]
