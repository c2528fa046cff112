"""Everything that a vision recipe can say, and the table from `type` to the class that does it. Imports no torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sleepwake.settings import Settings


class DomainSettings(Settings):
    """[domain]: what all roles of a vision mind share."""

    type: Literal["vision"] = "vision"
    """Images and a classifier."""
    kept_probes: int = Field(default=20, ge=1)
    """Images a class held back from its own wake data, where `morning.probes = "kept"`; they count as stored images."""
    dreamed_probes: int = Field(default=100, ge=1)
    """Images a class drawn at dusk, where `morning.probes = "dreamed"`; those on which the judges agree are used."""


class ClassStream(Settings):
    """What every class-incremental stream has: new classes in each task, one head for all of them."""

    classes_per_task: int = Field(default=2, ge=1)
    """New classes in each task; the last task takes what is left."""
    order: Literal["seed", "sorted"] | list[str] = "seed"
    """Order of the classes: shuffled by the recipe's seed, sorted by name, or a list that names each class once."""
    tasks: int = Field(default=0, ge=0)
    """How many tasks of the stream to use, from its beginning; 0 for all."""
    train_per_class: int = Field(default=0, ge=0)
    """At most so many training images a class, the first in file order; 0 for all."""


class DigitsStream(ClassStream):
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; nothing to download."""

    type: Literal["digits"] = "digits"
    """A quarter of each class is test data: the same quarter for every seed."""


class NpzStream(ClassStream):
    """A numpy archive with x_train, y_train, x_test, y_test."""

    type: Literal["npz"]
    """uint8 images (N, H, W) or (N, H, W, C) and integer labels."""
    data: str
    """The .npz file."""


class IdxStream(ClassStream):
    """The four idx files of MNIST and its kin, plain or .gz."""

    type: Literal["idx"]
    """{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte."""
    data: str
    """The folder that holds them."""


class FolderStream(ClassStream):
    """A folder of images, one subfolder a class."""

    type: Literal["folder"]
    """train/<class>/* and test/<class>/*: PNG or JPEG, all of one size."""
    data: str
    """The folder that holds `train` and `test`."""


Stream = Annotated[DigitsStream | NpzStream | IdxStream | FolderStream, Field(discriminator="type")]


class MlpLearner(Settings):
    """Fully connected layers with ReLU, and one head that grows with the classes."""

    type: Literal["mlp"] = "mlp"
    """A multi-layer perceptron on the pixels."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[256, 256], min_length=1)
    """Units of each hidden layer."""


class CnnLearner(Settings):
    """3 x 3 convolutions of stride 2 with ReLU, a hidden layer, and one head that grows with the classes."""

    type: Literal["cnn"]
    """A small convolutional network."""
    channels: list[Annotated[int, Field(ge=1)]] = Field(default=[16, 32], min_length=1)
    """Channels of each convolution; each halves height and width."""
    hidden: int = Field(default=128, ge=1)
    """Units of the hidden layer after the convolutions."""


Learner = Annotated[MlpLearner | CnnLearner, Field(discriminator="type")]


class VaeSettings(Settings):
    """What both variational autoencoders have."""

    frozen: bool = True
    """True: small ones that never learn again, so that old dreams can't drift. False: one that learns the day's data mixed with its
    own replay (deep generative replay)."""
    latent: int = Field(default=8, ge=1)
    """Size of the latent code."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[128, 128], min_length=1)
    """Units of the encoder's hidden layers; the decoder mirrors them."""
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """Gaussian: a learned spread a pixel, which draws include. Bernoulli: draws are the pixels' probabilities."""
    beta: float = Field(default=1.0, gt=0)
    """Weight of the divergence from the prior."""
    steps: int = Field(default=1500, ge=1)
    """Optimizer steps a day."""
    batch: int = Field(default=64, ge=1)
    """Images a step: for each frozen part, or of the day and as many again of its own replay."""
    lr: float = Field(default=2e-3, gt=0)
    """Learning rate (Adam)."""
    lean: Literal["boundary", "mix"] = "boundary"
    """How a dream of a leans towards b. Boundary: draws of a, the nearest to b of a larger pool; mix: pixels of both."""
    dreams: int = Field(default=64, ge=1)
    """Images dreamed for each challenge."""


class VaeDreamer(VaeSettings):
    """Variational autoencoder (Kingma & Welling 2014)."""

    type: Literal["vae"] = "vae"
    """Frozen: one a class. Not frozen: one for all, without labels; the learner names what it draws."""


class CvaeDreamer(VaeSettings):
    """Conditional variational autoencoder (Sohn et al. 2015)."""

    type: Literal["cvae"]
    """It is told the class. Frozen: one a task. Not frozen: one for all."""


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


Dreamer = Annotated[VaeDreamer | CvaeDreamer | DiffusionDreamer, Field(discriminator="type")]


class ConfusionChallenger(Settings):
    """Practises the pairs of classes that the learner confuses on its own dreams."""

    type: Literal["confusion"] = "confusion"
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


Challenger = Annotated[ConfusionChallenger | RandomChallenger, Field(discriminator="type")]


class PeersJudge(Settings):
    """Smaller classifiers with seeds of their own, trained by day on the same batches; they judge by agreement."""

    type: Literal["peers"] = "peers"
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


Judge = Annotated[PeersJudge | SelfJudge | RandomJudge | OracleJudge, Field(discriminator="type")]


class NoReplay(Settings):
    """Nothing is replayed: the learner forgets."""

    type: Literal["none"] = "none"
    """The lower bound."""


class Targets(Settings):
    """What replayed images are learned towards."""

    target: Literal["hard", "soft"] = "soft"
    """Hard: a class. Soft: the previous solver's response (Shin et al. 2017, equation 1)."""
    temperature: float = Field(default=2.0, gt=0)
    """Softens the response (van de Ven & Tolias 2018: 2); 1 leaves it as it is."""


class ExactReplay(Targets):
    """Stored images, as many of each class."""

    type: Literal["exact"]
    """Experience replay."""
    budget: int = Field(default=0, ge=0)
    """How much may be stored, in `unit`; 0 for all of it."""
    unit: Literal["images", "bytes"] = "images"
    """Unit of the budget; a pixel's channel is stored in one byte."""


class NoiseReplay(Targets):
    """Noise in place of images, with the previous solver's response (the control of Shin et al. 2017)."""

    type: Literal["noise"]
    """Independent pixels."""
    distribution: Literal["gaussian", "uniform"] = "gaussian"
    """Uniform in [0, 1], or Gaussian about 0.5 with a deviation of 0.25, clipped to [0, 1]."""


class GeneratedReplay(Targets):
    """Images drawn from the dreamer as it was before the day (deep generative replay); no image is stored."""

    type: Literal["generated"]
    """As many of each class."""


Replay = Annotated[NoReplay | ExactReplay | NoiseReplay | GeneratedReplay, Field(discriminator="type")]


class Wake(Settings):
    """[wake]: how a task is learned by day: L = (1/N) current + (1 - 1/N) replay, N tasks so far."""

    steps: int = Field(default=400, ge=1)
    """Optimizer steps a day, of the learner and of each of the judge's peers."""
    batch: int = Field(default=64, ge=1)
    """Images of the day a step, and as many replayed."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate."""
    optimizer: Literal["adam"] = "adam"
    """Adam with betas 0.9 and 0.999, fresh each day."""
    restart: bool = False
    """Begin each day with a freshly initialised learner; with `exact` replay of everything this is joint training."""
    replay: Replay = NoReplay()
    """What of earlier tasks is replayed."""


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


_HERE = "sleepwake.domains.vision"

CLASSES: dict[str, dict[str, str]] = {
    "stream": {
        "digits": f"{_HERE}.streams:digits",
        "npz": f"{_HERE}.streams:npz",
        "idx": f"{_HERE}.streams:idx",
        "folder": f"{_HERE}.streams:folder",
    },
    "learner": {"mlp": f"{_HERE}.learners:Classifying", "cnn": f"{_HERE}.learners:Classifying"},
    "dreamer": {
        "vae": f"{_HERE}.dreamers:VaeDreamer",
        "cvae": f"{_HERE}.dreamers:VaeDreamer",
        "diffusion": f"{_HERE}.diffusion_dreamers:DiffusionDreamer",
    },
    "challenger": {
        "confusion": f"{_HERE}.challengers:Confusion",
        "random": f"{_HERE}.challengers:Random",
    },
    "judge": {
        "peers": f"{_HERE}.judges:Peers",
        "self": f"{_HERE}.judges:Self",
        "random": f"{_HERE}.judges:Random",
        "oracle": f"{_HERE}.judges:Oracle",
    },
    "memory": {
        "none": f"{_HERE}.replay:NoMemory",
        "exact": f"{_HERE}.replay:ExactMemory",
        "noise": f"{_HERE}.replay:NoiseMemory",
        "generated": f"{_HERE}.replay:GeneratedMemory",
    },
    "probes": {"kept": f"{_HERE}.probes:Kept", "dreamed": f"{_HERE}.probes:Dreamed"},
    "rehearse": {"supervised": f"{_HERE}.rehearsal:Supervised"},
    "consolidate": {"distil": f"{_HERE}.consolidation:Distil"},
}
"""Which class does what a `type` names, by kind. To add one: its file, its settings class in the union, its line here."""


def check_together(judge: Judge, probes: str) -> None:
    """Refuse sections that don't go together.

    Raises:
        ValueError: with what is wrong and the line to write.
    """
    if probes == "dreamed" and not (isinstance(judge, PeersJudge) and judge.members >= 2):
        raise ValueError(
            'morning.probes: "dreamed" probes are marked by two judges with seeds of their own; write '
            'judge = { type = "peers", members = 2 }, or morning.probes = "kept"'
        )
