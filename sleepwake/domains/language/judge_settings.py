"""What a language recipe can say of judges. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from sleepwake.settings import Own, Settings


class Metamorphic(Settings):
    """An attempt must agree with a frozen snapshot's answers to easier parts of the problem."""

    type: Literal["metamorphic"] = "metamorphic"
    """Reward = share of the family's relations that hold."""
    threshold: float = Field(0.66, gt=0, le=1)
    """Accepted from this share on."""


class Majority(Settings):
    """The most frequent of the learner's attempts is right (TTRL, arXiv 2504.16084): a negative control."""

    type: Literal["majority"]
    """Reward = the attempt's share of the votes, 0 for all but the most frequent."""
    threshold: float = Field(0.5, gt=0, le=1)
    """Accepted from this share on."""


class SelfCertainty(Settings):
    """The surer a frozen snapshot is of an attempt, the better (Intuitor, arXiv 2505.19590)."""

    type: Literal["self-certainty"]
    """Reward = c / (c + nats), c the mean of KL(uniform || next token) over the answer's tokens."""
    nats: float = Field(8.0, gt=0)
    """Certainty at which the reward is one half."""
    threshold: float = Field(0.5, gt=0, le=1)
    """Accepted from this reward on; a problem's surest attempt only."""


class Cycle(Settings):
    """A given that is masked must be recovered from the answer (backward verification)."""

    type: Literal["cycle"]
    """Reward = share of the masked digits that, of all ten, make the answer the likeliest for a frozen snapshot."""
    givens: int = Field(1, ge=1, le=20)
    """Digits of the problem that are masked, one at a time; each costs ten readings of the answer."""
    threshold: float = Field(0.66, gt=0, le=1)
    """Accepted from this share on."""


class Random(Settings):
    """Rewards by chance: a negative control."""

    type: Literal["random"]
    """Reward = a uniform number."""
    threshold: float = Field(0.5, gt=0, le=1)
    """Accepted from this number on; a problem's highest attempt only."""


class Oracle(Settings):
    """Rewards by ground truth: an upper bound, and a control. Reads inside an audit, and says so."""

    type: Literal["oracle"]
    """Reward = 1 for a right answer."""


class Pairwise(Settings):
    """A frozen snapshot compares every two attempts, in both orders (SERL, arXiv 2511.07922)."""

    type: Literal["pairwise"]
    """Reward = share of won comparisons. A character model needs the family pairs in the stream; a chat model is asked in words."""
    shortest: float = Field(0.8, ge=0, le=1)
    """A win counts only if the shorter attempt has this part of the longer one's length, and is weighted by that part."""
    threshold: float = Field(0.6, gt=0, le=1)
    """Accepted from this share on."""


class Votes(Settings):
    """Models that learn the same day from other seeds vote (Lee et al. 2025, arXiv 2502.01612)."""

    type: Literal["votes"]
    """Reward = share of the peers that say the same. With a pretrained learner a peer is an adapter; one from scratch costs a day."""
    peers: int = Field(3, ge=2, le=32)
    """How many."""
    threshold: float = Field(0.66, gt=0, le=1)
    """Accepted from this share on."""


class Rubrics(Settings):
    """Yes-or-no questions about each answer, put to a frozen snapshot of a chat model (Ctx2Skill, arXiv 2604.27660)."""

    type: Literal["rubrics"]
    """Reward = the least probability of Yes: all rubrics must pass."""
    rubrics: tuple[str, ...] = Field(
        ("Is this the right answer to the problem?", "Does the answer say one thing, and no more than is asked?"), min_length=1
    )
    """The questions."""
    threshold: float = Field(0.5, gt=0, le=1)
    """Accepted from this probability on."""


Member = Annotated[Metamorphic | Majority | SelfCertainty | Cycle | Pairwise | Votes | Rubrics, Field(discriminator="type")]


class Ensemble(Settings):
    """Several judges that must agree."""

    type: Literal["ensemble"]
    """Reward = 1 where all that can tell accept, 0 where all refuse; an abstention where they differ."""
    of: tuple[Member, ...] = Field((Metamorphic(), Cycle(type="cycle")), min_length=2)
    """The judges, e.g. [{ type = "metamorphic" }, { type = "cycle" }]."""


Judge = Annotated[
    Metamorphic | Majority | SelfCertainty | Cycle | Pairwise | Votes | Rubrics | Random | Oracle | Ensemble | Own,
    Field(discriminator="type"),
]
