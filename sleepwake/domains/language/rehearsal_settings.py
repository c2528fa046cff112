"""What a language recipe can say of rehearsal. Imports no torch."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sleepwake.settings import Settings


class Tried(Settings):
    """Groups of dreams that are tried on copies of the learner, to keep those that improve it (SEAL, arXiv 2506.10943)."""

    groups: int = Field(0, ge=0, le=1000)
    """How many; 0: none is tried, all are kept."""
    steps: int = Field(5, ge=1, le=10_000)
    """Optimizer steps on a copy."""
    batch: int = Field(32, ge=1, le=10_000)
    """Lines a step."""


class Supervised(Settings):
    """Train on the accepted answers, on practice that was accepted before, and on easy lines that the learner labels
    itself.
    """

    type: Literal["supervised"] = "supervised"
    """Cross-entropy."""
    needs: ClassVar[tuple[str, ...]] = ("challenges", "dreams", "verdicts")
    steps: int = Field(60, ge=1, le=100_000)
    """Optimizer steps a round."""
    batch: int = Field(80, ge=3, le=10_000)
    """Lines a step."""
    rate: float = Field(5e-4, gt=0, le=1)
    """Peak learning rate."""
    fresh: float = Field(0.5, ge=0, le=1)
    """Share of each batch from this round's accepted lines."""
    easy: float = Field(0.15, ge=0, le=1)
    """Share of each batch from self-labelled easy lines of every family so far; the rest is practice."""
    balance: float = Field(0.0, ge=0, le=1)
    """How far families are drawn alike, whatever they have of accepted lines and practice: 0 all lines, 1 all families equally often. A
    slow family has few lines, and with 0 stays slow."""
    least: int = Field(16, ge=1)
    """Training is skipped where fewer lines than this were accepted, in this round and in those before it at the current levels."""
    keep: float = Field(1.0, gt=0, le=1)
    """Share of the accepted lines that are trained on: those with the largest gradients (Sleep, arXiv 2606.03979), and some at random."""
    chance: float = Field(0.2, ge=0, le=1)
    """Share of the kept lines that are drawn at random; used where keep is below 1."""
    tried: Tried = Tried()
    """Whether dreams must show on a copy that training on them improves anything."""

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.fresh + self.easy > 1:
            raise ValueError(f"fresh {self.fresh} and easy {self.easy} are more than 1 together: write easy = {1 - self.fresh}")
        return self


class Sampled(Settings):
    """What TRL's trainers that sample have in common: the round's frozen judge rewards the attempts."""

    type: str
    needs: ClassVar[tuple[str, ...]] = ("challenges", "dreams", "verdicts")
    steps: int = Field(10, ge=1, le=100_000)
    """How often attempts are sampled in a round, and trained on."""
    prompts: int = Field(16, ge=1, le=1024)
    """Problems each time."""
    generations: int = Field(8, ge=2, le=128)
    """Sampled attempts a problem."""
    rate: float = Field(3e-4, gt=0, le=1)
    """Learning rate."""
    longest: int = Field(64, ge=2, le=1024)
    """Most tokens of a sampled attempt, which are characters for a learner of these; must exceed the answers of the levels that are to be
    reached."""
    margin: int = Field(0, ge=0, le=1024)
    """Attempts also end this many tokens beyond the round's longest prompt's own number; 0: they don't."""
    temperature: float = Field(1.0, gt=0, le=4)
    """Of attempts."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Attempts are sampled from the likeliest tokens that have this probability together."""
    easy: float = Field(0.5, ge=0, lt=1)
    """Share of the problems from levels that are already mastered: practice on the frontier alone damages them."""
    passes: int = Field(1, ge=1, le=16)
    """Passes over what was sampled, so `steps` x `passes` x `minibatches` optimizer steps; from the second step on, ratios to the policy
    that sampled are clipped."""
    minibatches: int = Field(1, ge=1, le=64)
    """Parts of what was sampled that have an optimizer step each, as in PPO (arXiv 1707.06347)."""
    recall: int = Field(0, ge=0, le=100_000)
    """Supervised steps after the trainer's, on what the learner knew before the round: its own lines of the day's levels, and practice.
    Where all attempts are right a trainer has nothing to go by, and mends damage only once it shows."""
    recall_rate: float = Field(1e-4, gt=0, le=1)
    """Their peak rate."""
    beta: float = Field(0.02, ge=0)
    """Weight of the KL divergence to the policy that `anchor` names."""
    anchor: Literal["dusk", "round"] = "round"
    """The policy at dusk, or at the round's start (a reference that is renewed, as ProRL's, arXiv 2505.24864): dusk holds the policy to
    what it said of problems that it couldn't solve."""
    judging: float = Field(0.0, ge=0, lt=1)
    """Share of the prompts that are judgements of two attempts, rewarded where they agree with the ranking that all judgements imply (R_J
    of SERL, arXiv 2511.07922); needs a pairwise judge, and a dreamer that makes attempts."""
    effective: float = Field(0.0, ge=0, le=1)
    """The night ends after a round in which fewer than this share of the prompts had attempts that earned different rewards: the others
    teach nothing. 0: it goes on."""
    accumulate: int = Field(1, ge=1, le=1024)
    """Parts that an optimizer step's attempts pass the network in, for less memory."""
    vllm: bool = False
    """Attempts are sampled by vLLM within the same process; it must be installed, on a GPU, and the learner be pretrained."""
    niche: float = Field(0.0, ge=0, le=4)
    """Guard of formats, 0: none. An attempt is measured by those at its problem that are written alike, and earns this much times log(share
    of its format at dusk / share now); GRPO then divides no rewards by their spread."""

    @model_validator(mode="after")
    def _parts_are_whole(self) -> Self:
        parts = self.minibatches * self.accumulate
        if self.prompts * self.generations % parts:
            raise ValueError(
                f"prompts x generations = {self.prompts * self.generations} is no multiple of minibatches x accumulate = {parts}: "
                f"write prompts = {-(-self.prompts // parts) * parts}"
            )
        return self


class Grpo(Sampled):
    """TRL's GRPO."""

    type: Literal["grpo"]
    """Group-relative policy optimization (arXiv 2402.03300)."""
    filter: bool = False
    """Attempts that earned what their group did in the mean, and so have no advantage, are left out of the passes, which cost less then."""


class Rloo(Sampled):
    """TRL's RLOO."""

    type: Literal["rloo"]
    """REINFORCE with the mean of the other attempts as baseline (arXiv 2402.14740)."""


class Compared(Settings):
    """What TRL's trainers on judged attempts have in common: the dreamer's attempts are what they learn from, none are sampled anew."""

    type: str
    needs: ClassVar[tuple[str, ...]] = ("challenges", "dreams", "verdicts")
    steps: int = Field(30, ge=1, le=100_000)
    """Optimizer steps a round."""
    batch: int = Field(32, ge=2, le=10_000)
    """Pairs, or attempts, a step."""
    rate: float = Field(1e-4, gt=0, le=1)
    """Learning rate."""
    easy: float = Field(0.5, ge=0, lt=1)
    """Share of the batch from levels that are already mastered: the learner's own answer, against its answer to another problem."""
    beta: float = Field(0.1, gt=0)
    """How much a log-probability ratio to the policy at the round's start is worth."""


class Dpo(Compared):
    """TRL's DPO: the accepted attempt against a rejected one at the same problem."""

    type: Literal["dpo"]
    """Direct preference optimization (arXiv 2305.18290)."""
    imitate: float = Field(1.0, ge=0)
    """Weight of the cross-entropy with the accepted attempt, without which both may become unlikely (arXiv 2404.19733)."""


class Kto(Compared):
    """TRL's KTO: accepted attempts are good, rejected ones bad, each by itself."""

    type: Literal["kto"]
    """Kahneman-Tversky optimization (arXiv 2402.01306)."""


class Notes(Settings):
    """A chat model edits notes to itself after failures and easy wins; nothing is trained (Ctx2Skill, arXiv 2604.27660)."""

    type: Literal["notes"]
    """Needs a pretrained learner, and sleep.consolidate.type = "replay"."""
    needs: ClassVar[tuple[str, ...]] = ("challenges", "dreams", "verdicts")
    temperature: float = Field(0.7, ge=0, le=3)
    """Of proposals and notes; 0: greedy."""
    longest: int = Field(2000, ge=1)
    """Most characters of notes; longer ones are not taken."""


Rehearse = Annotated[Supervised | Grpo | Rloo | Dpo | Kto | Notes, Field(discriminator="type")]
