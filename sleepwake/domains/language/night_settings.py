"""What a language recipe can say of practice, rehearsal and consolidation. Imports no torch."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sleepwake.domains.language.shape import Shape
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


class Distilling(Settings):
    """What a night's distillation into the lasting weights needs to know."""

    type: str
    needs: ClassVar[tuple[str, ...]] = ()
    steps: int = Field(30, ge=1, le=100_000)
    """Optimizer steps a night."""
    batch: int = Field(96, ge=2, le=10_000)
    """Lines a step, half of them old and half new."""
    rate: float = Field(1e-4, gt=0, le=1)
    """Peak learning rate."""
    hard: float = Field(0.5, ge=0, le=1)
    """Weight of a line's answer in the loss, against the teacher's word. Without it gradients are all but zero, and
    AdamW, which scales them up, drifts."""
    lines: Literal["written", "stored"] = "written"
    """Where lines of the day's levels come from: dusk's learner writes and answers them, or wake.replay = { type = "exact" } has kept them;
    stored, and without rounds, a night holds nothing that the model made itself."""


class Distil(Distilling):
    """Distillation into the lasting weights: dusk's word on what was known at dusk, the night's on what is new."""

    type: Literal["distil"] = "distil"
    """On lines that the mind wrote itself and answered with its judge's consent."""


class Seed(Distilling):
    """Knowledge seeding: at the end of the first night the learner is distilled into a larger one (Sleep, arXiv 2606.03979); later nights
    distil as `distil` does.
    """

    type: Literal["seed"]
    """On lines of every practised level that the learner wrote and answered itself."""
    larger: Shape = Shape(width=160, layers=4)
    """The size to grow to."""
    start: Literal["fresh", "copy"] = "fresh"
    """Random weights, all of which are trained; or the old blocks, with new ones on top and new units beside that begin without effect:
    here what came along stays as it is while it is seeded."""
    each: int = Field(200, ge=10, le=10_000)
    """Lines a family and level that the teacher writes."""
    seed_steps: int = Field(1500, ge=1, le=1_000_000)
    """Steps off-policy: KL(teacher || student) on whole lines, `batch` a step."""
    seed_rate: float = Field(1e-3, gt=0, le=1)
    """Their peak learning rate."""
    seed_hard: float = Field(0.0, ge=0, le=1)
    """Weight of a line's own characters against the teacher's word at each: of a problem's digits its word is all there is to learn."""
    polish: int = Field(50, ge=0, le=100_000)
    """Steps on-policy: the same on the student's own answers, by TRL's DistillationTrainer."""
    imitate: int = Field(0, ge=0, le=100_000)
    """Steps of GRPO with the imitation reward gamma r_sem + (1 - gamma) r_abs on cut-off answers."""
    polish_rate: float = Field(1e-4, gt=0, le=1)
    """Learning rate of both."""
    gamma: float = Field(0.5, ge=0, le=1)
    """Weight of saying the same against writing the same."""
    furthest: int = Field(4, ge=0)
    """Levenshtein distance beyond which r_abs is 0."""


class Merge(Settings):
    """PEFT adds the night's LoRA to the lasting weights: a baseline without training."""

    type: Literal["merge"]
    """Needs learner.fast = "lora"."""
    needs: ClassVar[tuple[str, ...]] = ()
    how: Literal["linear", "svd", "cat", "ties", "dare_linear", "dare_ties", "magnitude_prune"] = "linear"
    """PEFT's way of combining adapters: whole, re-factored, or pruned."""
    weight: float = Field(1.0, gt=0, le=2)
    """What it is multiplied by."""
    density: float = Field(0.5, gt=0, le=1)
    """Share of its entries that pruning leaves."""


class Absorb(Settings):
    """What stands in the context is taken into the weights: the learner with it teaches itself without it."""

    type: Literal["absorb"]
    """Context distillation (arXiv 2112.00861) on the learner's own problems."""
    needs: ClassVar[tuple[str, ...]] = ()
    steps: int = Field(300, ge=1, le=100_000)
    """Optimizer steps a night."""
    batch: int = Field(96, ge=2, le=10_000)
    """Lines a step, half of them of the day's families and half of older ones."""
    rate: float = Field(1e-3, gt=0, le=1)
    """Peak learning rate."""
    hard: float = Field(0.5, ge=0, le=1)
    """Of answers, the weight of their own tokens against the teacher's word; of problems its word is all that is taught."""
    each: int = Field(100, ge=10, le=10_000)
    """Lines a family and level that it writes."""


class Replay(Settings):
    """All notes of a night are tried on its hardest and easiest problems, and the best stay."""

    type: Literal["replay"]
    """By rho_h x rho_e (Ctx2Skill, arXiv 2604.27660)."""
    needs: ClassVar[tuple[str, ...]] = ()


Consolidate = Annotated[Distil | Seed | Merge | Absorb | Replay, Field(discriminator="type")]
