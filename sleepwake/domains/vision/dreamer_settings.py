"""What a vision recipe can say of the dreamer. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from sleepwake.domains.vision.wake_settings import VaeShape
from sleepwake.settings import Settings


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


class StrokesGenerator(Settings):
    """The generator that comes with the program: 16 x 16 grey pixels, and it has seen procedural drawings alone."""

    type: Literal["strokes"] = "strokes"
    """No glyph of any font and no image of any data set went into it."""


class FolderGenerator(Settings):
    """A text-conditional diffusion model on disk, of pixels or latents."""

    type: Literal["folder"]
    """A folder as diffusers' save_pretrained writes it: UNet2DConditionModel, CLIPTextModel, scheduler; a vae for latents."""
    folder: str
    """Absolute, or relative to where data are sought."""
    lora: str = ""
    """A folder of a LoRA that is fused into the UNet at opening, as diffusers' save_lora_weights writes it: with `sampler` "lcm" an LCM."""


class HubGenerator(Settings):
    """The same from the hub; the only setting that touches the network."""

    type: Literal["hub"]
    """Fetched once, then read from the hub's own cache."""
    id: str = Field(min_length=1)
    """Such as "stabilityai/sd-turbo"."""
    revision: str = ""
    """A commit, so that the weights can't change under a run; empty: the newest."""
    lora: str = ""
    """Hub id of a LoRA that is fused into the UNet at opening, such as "latent-consistency/lcm-lora-sdv1-5"."""
    lora_revision: str = ""
    """As `revision`, of the LoRA."""


FrozenGenerator = Annotated[StrokesGenerator | FolderGenerator | HubGenerator, Field(discriminator="type")]


class PromptAdapter(Settings):
    """Soft prompts: vectors before an empty caption."""

    type: Literal["prompt"] = "prompt"
    """Prompt tuning of the text encoder (Lester et al. 2021); several classes share a pass through the UNet."""
    vectors: int = Field(default=5, ge=1)
    """How many."""


class TokenAdapter(Settings):
    """Learned words."""

    type: Literal["token"]
    """Textual inversion (Gal et al. 2023); several classes share a pass through the UNet."""
    vectors: int = Field(default=5, ge=1)
    """Words a class."""
    room: int = Field(default=64, ge=1)
    """How many classes may ever have words."""


class LoraAdapter(Settings):
    """Low-rank changes of the UNet."""

    type: Literal["lora"]
    """Hu et al. 2022; a pass through the UNet a class."""
    rank: int = Field(default=4, ge=1)
    """Rank of each change."""
    layers: Literal["attention", "all"] = "attention"
    """Of which layers: attention alone, or convolutions too."""


Adapter = Annotated[PromptAdapter | TokenAdapter | LoraAdapter, Field(discriminator="type")]


class Objective(Settings):
    """What a dream is optimised for: cross-entropy with its target, and terms with weights, each of which can be left out."""

    target: float = Field(default=1.0, ge=0)
    """Cross-entropy of the learner's answer with the target: (1 - distance / 2) of class a and distance / 2 of class b."""
    band: float = Field(default=0.0, ge=0)
    """Hinge on the answer's entropy outside `entropy`: neither a known class for certain nor anything at all."""
    entropy: tuple[float, float] = (0.2, 0.8)
    """Where the entropy should lie, in parts of the greatest possible."""
    diversity: float = Field(default=0.0, ge=0)
    """Mean cosine similarity of the features of a class's images: all alike is 1."""
    statistics: float = Field(default=0.0, ge=0)
    """Squared distance of the features' mean and deviation from those of the day's images (Yin et al. 2020, for their BatchNorm term)."""
    norm: float = Field(default=0.0, ge=0)
    """Mean square of the adapter's weights."""


class FixedStop(Settings):
    """Stops after all steps."""

    type: Literal["fixed"] = "fixed"
    """The simplest, and what others are measured against."""


class HitsStop(Settings):
    """Stops a class once its images were answered as asked several times in a row."""

    type: Literal["hits"]
    """The rule of DEXTER (arXiv 2510.14741)."""
    hits: int = Field(default=3, ge=1)
    """How many steps in a row."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Share of a step's images that must lie between the pair: its two classes are the two likeliest."""


class BandStop(Settings):
    """Stops a class once its images' greatest probability of a known class lies in a band."""

    type: Literal["band"]
    """Less is garbage, more is that class."""
    low: float = Field(default=0.4, ge=0, le=1)
    """Least mean probability of the likeliest class."""
    high: float = Field(default=0.8, ge=0, le=1)
    """Greatest."""


class LearnedStop(Settings):
    """Stops a class where steps that looked so were good ones in nights before."""

    type: Literal["learned"]
    """A logistic regression on the guide's answers along the way, taught by the judge's verdicts on images of the way, in hindsight."""
    explore: int = Field(default=1, ge=1)
    """Dreams of each round that go on to the last step and are looked back on; in the first rounds all do."""
    margin: float = Field(default=0.05, ge=0, le=1)
    """A step was good where no later one had a share accepted that was larger by more than this."""


Stop = Annotated[FixedStop | HitsStop | BandStop | LearnedStop, Field(discriminator="type")]


class DiffusionDreamer(Settings):
    """A frozen diffusion model with one small adapter a class, and one a dream that the learner has asked for."""

    type: Literal["diffusion"]
    """Adapters are optimised through the sampler's steps by the learner; they alone change (after Dream2Learn, arXiv 2603.01935)."""
    generator: FrozenGenerator = StrokesGenerator()
    """What draws."""
    adapter: Adapter = PromptAdapter()
    """What learns."""
    sampler: Literal["ddim", "lcm"] = "ddim"
    """How it goes from noise to image."""
    denoising: int = Field(default=2, ge=1, le=1000)
    """Steps from noise to image; one step fools the learner more easily than it draws what was asked."""
    last: int = Field(default=0, ge=0)
    """Gradients pass through so many of the last of them (Clark et al. 2024); 0: all."""
    checkpointing: bool = False
    """Compute the activations of UNet and decoder twice in place of keeping them."""
    at_once: int = Field(default=0, ge=0)
    """Adapters whose images pass the generator together while they are optimised; fewer take less memory; 0: all of a round."""
    first: Literal["class", "random"] = "class"
    """Where the adapter of a dream begins: at that of class a, or anywhere; with `prompt_steps` 0 it stays there (control)."""
    begin: Literal["noise", "draws", "stored"] = "noise"
    """Where images of dreams begin. Draws: at images of class a as its adapter draws it. Stored: at those that are stored of it, as
    Dream2Learn begins at images of its buffer."""
    strength: float = Field(default=0.5, gt=0, le=1)
    """Which share of the denoising steps is taken from there; 1 is nearly noise."""
    objective: Objective = Objective()
    """What the adapters of dreams are optimised for; those of real classes for the class alone."""
    stop: Stop = FixedStop()
    """When a dream is done."""
    fit: Literal["learner", "images", "none"] = "learner"
    """What a real class's adapter learns. Learner: to draw what the learner takes for the class, anew each day. Images: to draw the class's
    own images, once (textual inversion): replay without drift. None: real classes have none, and dreams begin without one."""
    fit_steps: int = Field(default=30, ge=1)
    """Optimizer steps of the adapters of real classes, each day."""
    end_factor: float = Field(default=1.0, ge=0, le=1)
    """Learning rates of adapters fitted to images fall linearly to this share by the last of `fit_steps`; 1: they stay."""
    prompt_steps: int = Field(default=30, ge=0)
    """Optimizer steps of the adapters of dreams, each round."""
    prompt_batch: int = Field(default=8, ge=1)
    """Images an adapter and step."""
    prompt_lr: float = Field(default=0.02, gt=0)
    """Learning rate of adapters (Adam)."""
    pool: int = Field(default=0, ge=0)
    """Where classes are replayed: so many images a class are drawn once a day, and batches from them; 0: every batch is drawn anew."""
    dreams: int = Field(default=32, ge=1)
    """Images dreamed for each challenge."""


class MixDreamer(Settings):
    """Control: stored images, and between two classes the mean of theirs, pixel by pixel."""

    type: Literal["mix"]
    """No generator: what interpolation alone brings (mixup, Zhang et al. 2018)."""
    dreams: int = Field(default=32, ge=1)
    """Images dreamed for each challenge."""


class PicturesDreamer(Settings):
    """Control: real images of other classes in the place of dreams. Not a method: it is what dreams could be at best."""

    type: Literal["pictures"]
    """Each challenge gets the next class of another data set, whatever it asks for."""
    data: str
    """A .npz file as `stream.data`, of classes that the stream doesn't have."""
    dreams: int = Field(default=32, ge=1)
    """Images for each challenge."""


Dreamer = Annotated[
    NoDreamer | VaeDreamer | CvaeDreamer | WganDreamer | FeedbackDreamer | DiffusionDreamer | MixDreamer | PicturesDreamer,
    Field(discriminator="type"),
]
