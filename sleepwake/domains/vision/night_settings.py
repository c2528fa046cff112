"""What a vision recipe can say of dreams, practice, verdicts, rehearsal and consolidation. Imports no torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sleepwake.domains.vision.wake_settings import VaeShape
from sleepwake.settings import Own, Settings


class NoDreamer(Settings):
    """Nothing is dreamed."""

    type: Literal["none"] = "none"
    """For recipes without nights whose replay isn't generated."""


class DreamerSettings(Settings):
    """What dreamers with generators of their own have."""

    ratio: float | Literal["1/N"] = "1/N"
    """Weight of the day's own images beside replay; "1/N": one part in the tasks so far; 0: replay alone."""
    restart: bool = False
    """Begin each day with fresh weights, and learn the past from the draws of the day before alone."""
    lean: Literal["boundary", "mix"] = "boundary"
    """How a dream of a leans towards b. Boundary: draws of a, the nearest to b of a larger pool; mix: pixels of both."""
    dreams: int = Field(default=64, ge=1)
    """Images dreamed for each challenge."""


class VaeSettings(DreamerSettings, VaeShape):
    """What both variational autoencoders have."""

    frozen: bool = True
    """True: small ones that never learn again, so that old dreams can't drift; `ratio` and `restart` are then unused. False: one that
    learns the day's data mixed with its own replay (deep generative replay)."""
    moments: Literal["fresh", "kept"] = "fresh"
    """What Adam knows of past gradients when a day begins, as `wake.moments`; kept only where the weights go on learning."""
    guide: float = Field(default=0.0, ge=0)
    """Weight of the learner's own loss on what is decoded, so that it names it as it was told (Graffieti et al., equation 14: eta)."""


class VaeDreamer(VaeSettings):
    """Variational autoencoder (Kingma & Welling 2014)."""

    type: Literal["vae"]
    """Frozen: one a class. Not frozen: one for all, without labels; the learner names what it draws."""


class CvaeDreamer(VaeSettings):
    """Conditional variational autoencoder (Sohn et al. 2015)."""

    type: Literal["cvae"]
    """It is told the class. Frozen: one a task. Not frozen: one for all."""


class WganDreamer(DreamerSettings):
    """Wasserstein GAN with gradient penalty (Gulrajani et al. 2017), the generator of Shin et al. 2017."""

    type: Literal["wgan"]
    """One for all classes, without labels, which learns the day's images mixed with its own draws; the learner names what it draws."""
    latent: int = Field(default=64, ge=1)
    """Size of the noise from which an image is drawn."""
    channels: list[Annotated[int, Field(ge=1)]] = Field(default=[16, 32])
    """Channels of the critic's convolutions, each of which halves height and width; the generator mirrors them. Empty: `hidden`."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[400, 400], min_length=1)
    """Without `channels`: units of the hidden layers of both."""
    penalty: float = Field(default=10.0, ge=0)
    """Weight of the gradient penalty: lambda."""
    critic_steps: int = Field(default=3, ge=1)
    """The critic's steps for each of the generator's."""
    steps: int = Field(default=1500, ge=1)
    """The generator's steps a day."""
    batch: int = Field(default=64, ge=1)
    """Images a step."""
    lr: float = Field(default=5e-4, gt=0)
    """Learning rate of both (Adam with betas 0.5 and 0.9)."""
    end_factor: float = Field(default=1.0, gt=0, le=1)
    """Each day the rate falls linearly to this share of itself; 1: it stays."""


class FeedbackDreamer(Settings):
    """The learner's own decoder (`learner.feedback`), as it was before the day; no weights of its own."""

    type: Literal["feedback"]
    """Replay through feedback (van de Ven & Tolias 2018)."""


class DiffusionDreamer(Settings):
    """A diffusion model that learned procedural strokes on the first day and is frozen, with one soft prompt a dreamed class."""

    type: Literal["diffusion"]
    """Prompts are optimised through the sampler's steps by the learner; they alone change (after Dream2Learn, arXiv 2603.01935)."""
    channels: list[Annotated[int, Field(ge=8, multiple_of=8)]] = Field(default=[16, 32], min_length=1)
    """Channels of the UNet at each size; each size is half of the one before."""
    text: int = Field(default=32, ge=2, multiple_of=2)
    """Width of the text encoder and of a soft prompt's vectors."""
    steps: int = Field(default=300, ge=1)
    """Optimizer steps on drawings of strokes, on the first day only."""
    batch: int = Field(default=32, ge=1)
    """Drawings a step."""
    lr: float = Field(default=4e-3, gt=0)
    """Learning rate on drawings (Adam)."""
    ddim: int = Field(default=2, ge=1, le=1000)
    """DDIM steps from noise to image; one step fools the learner more easily than it draws what was asked."""
    prompt_steps: int = Field(default=30, ge=1)
    """Optimizer steps of the prompts: of all classes each day, of all challenges each round."""
    prompt_batch: int = Field(default=8, ge=1)
    """Images a prompt and step."""
    prompt_lr: float = Field(default=0.02, gt=0)
    """Learning rate of the prompts (Adam)."""
    dreams: int = Field(default=32, ge=1)
    """Images dreamed for each challenge."""


Dreamer = Annotated[NoDreamer | VaeDreamer | CvaeDreamer | WganDreamer | FeedbackDreamer | DiffusionDreamer, Field(discriminator="type")]


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


Judge = Annotated[NoJudge | PeersJudge | SelfJudge | RandomJudge | OracleJudge | Own, Field(discriminator="type")]


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


Rehearse = SupervisedRehearsal


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
