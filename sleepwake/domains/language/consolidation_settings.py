"""What a language recipe can say of consolidation. Imports no torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sleepwake.domains.language.shape import Shape
from sleepwake.settings import Settings


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
    lines: Literal["written", "judged", "stored"] = "written"
    """Where lines of the day's levels come from: dusk's learner writes and answers them; the same, without those that its judge rejects, so
    that a learner which is not sure of its days isn't taught its own errors; or wake.replay = { type = "exact" } has kept them: then, and
    without rounds, a night holds nothing that the model made itself."""


class Distil(Distilling):
    """Distillation into the lasting weights: dusk's word on what was known at dusk, the night's on what is new."""

    type: Literal["distil"] = "distil"
    """On practice that the judge accepted, and on lines of the day's levels."""


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
    """Steps on-policy: KL(student || teacher) on the student's own answers, by TRL's DistillationTrainer."""
    imitate: int = Field(0, ge=0, le=100_000)
    """Steps of GRPO with the imitation reward gamma r_sem + (1 - gamma) r_abs on cut-off answers."""
    polish_rate: float = Field(1e-4, gt=0, le=1)
    """Learning rate of polishing."""
    imitate_rate: float = Field(3e-5, gt=0, le=1)
    """Learning rate of imitation; at 1e-4 it harmed longer answers."""
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
