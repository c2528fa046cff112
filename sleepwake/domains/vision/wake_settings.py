"""What a vision recipe can say of the learner and of its days. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from sleepwake.domains.vision.body_settings import FolderWeights, MobileNetLearner, RandomWeights, ResNetLearner
from sleepwake.settings import Settings


class VaeShape(Settings):
    """A variational autoencoder (Kingma & Welling 2014), and how it is fitted."""

    latent: int = Field(default=8, ge=1)
    """Size of the latent code."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[128, 128], min_length=1)
    """Units of the encoder's hidden layers; the decoder mirrors them."""
    likelihood: Literal["gaussian", "bernoulli", "squared"] = "gaussian"
    """Gaussian: a learned spread a pixel, which draws include. Bernoulli: draws are the pixels' probabilities. Squared: plain squared
    error, draws are what is decoded."""
    beta: float = Field(default=1.0, gt=0)
    """Weight of the divergence from the prior."""
    mixture: int = Field(default=0, ge=0)
    """Gaussians fitted to the codes of the training images, from which codes are drawn (aggregate posterior); 0: from N(0, I)."""
    steps: int = Field(default=1500, ge=1)
    """Optimizer steps a day."""
    batch: int = Field(default=64, ge=1)
    """Images a step: for each frozen part, or of the day and as many again of its own replay."""
    lr: float = Field(default=2e-3, gt=0)
    """Learning rate (Adam)."""


class NoFeedback(Settings):
    """The classifier draws nothing."""

    type: Literal["none"] = "none"
    """A generator, where there is one, is the dreamer's."""


class DecoderFeedback(Settings):
    """The generator as a part of the classifier: from its last features to a code, and by a decoder back to the images.

    As it stands this is replay through feedback (van de Ven & Tolias 2018); brain-inspired replay has a prior and gates a class besides,
    and activations in the place of images, which is `wake.layer` (van de Ven, Siegelmann & Tolias 2020).
    """

    type: Literal["decoder"]
    """Dreamer "feedback" draws from it."""
    latent: int = Field(default=100, ge=1)
    """Size of the code."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[400, 400], min_length=1)
    """Units of the decoder's hidden layers, the image's side first; the published ones mirror the body."""
    likelihood: Literal["bernoulli", "squared"] = "bernoulli"
    """Of what is decoded. Bernoulli: draws are the pixels' probabilities. Squared: squared error, draws are what is decoded."""
    prior: Literal["normal", "class"] = "normal"
    """Of the code. Normal: N(0, I), and the learner names what it draws. Class: a Gaussian a class, which is learned."""
    gate: float = Field(default=0.0, ge=0, lt=1)
    """Share of each hidden layer's units in the decoder that is shut off, at random for each class; 0: none."""
    weight: float = Field(default=1.0, gt=0)
    """Weight of the generative loss, a pixel, beside the loss of the answers."""


Feedback = Annotated[NoFeedback | DecoderFeedback, Field(discriminator="type")]


class MlpLearner(Settings):
    """Fully connected layers with ReLU, named hidden1, hidden2 and so on, and one head that grows with the classes."""

    type: Literal["mlp"] = "mlp"
    """A multi-layer perceptron on the pixels."""
    weights: FolderWeights | RandomWeights = RandomWeights()
    """Where the body's first weights come from: { folder = "..." }, or at random."""
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[256, 256], min_length=1)
    """Units of each hidden layer."""
    feedback: Feedback = NoFeedback()
    """Whether its features lead back to the images, so that replay can be drawn."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers after which replay may enter."""
        return [f"hidden{place + 1}" for place in range(len(self.hidden))]


class CnnLearner(Settings):
    """3 x 3 convolutions of stride 2 with ReLU, named conv1, conv2 and so on, a hidden layer, and one head that grows with the classes."""

    type: Literal["cnn"]
    """A small convolutional network."""
    weights: FolderWeights | RandomWeights = RandomWeights()
    """Where the body's first weights come from: { folder = "..." }, or at random."""
    channels: list[Annotated[int, Field(ge=1)]] = Field(default=[16, 32], min_length=1)
    """Channels of each convolution; each halves height and width."""
    hidden: int = Field(default=128, ge=1)
    """Units of the hidden layer after the convolutions."""
    feedback: Feedback = NoFeedback()
    """Whether its features lead back to the images, so that replay can be drawn."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers after which replay may enter."""
        return [*(f"conv{place + 1}" for place in range(len(self.channels))), "hidden"]


class SldaLearner(Settings):
    """Streaming linear discriminant analysis on the pixels (Hayes & Kanan 2020). No gradients, no replay."""

    type: Literal["slda"]
    """A mean a class and one covariance, in one pass."""
    shrinkage: float = Field(default=1e-4, gt=0, lt=1)
    """Share of the identity in the covariance."""


class RidgeLearner(Settings):
    """Ridge regression on random ReLU features, from running sums (McDonnell et al. 2023). No gradients, no replay."""

    type: Literal["ridge"]
    """What it says of all tasks together doesn't depend on their order."""
    features: int = Field(default=2048, ge=1)
    """Random features."""
    ridge: float = Field(default=1.0, gt=0)
    """Penalty on the squared weights."""


class GenerativeLearner(Settings):
    """A VAE a class, fitted once; the likeliest class is the answer (van de Ven, Li & Tolias 2021). No replay."""

    type: Literal["generative"]
    """Each class's likelihood is estimated by importance sampling."""
    vae: VaeShape = VaeShape(latent=5, hidden=[85, 85], likelihood="bernoulli", steps=1000, batch=128, lr=1e-3)
    """Each class's autoencoder."""
    samples: int = Field(default=50, ge=1)
    """Importance samples an image and class."""


NetworkLearner = MlpLearner | CnnLearner | MobileNetLearner | ResNetLearner
"""Learners with gradients."""

Learner = Annotated[NetworkLearner | SldaLearner | RidgeLearner | GenerativeLearner, Field(discriminator="type")]


class NoReplay(Settings):
    """Nothing is replayed: the learner forgets."""

    type: Literal["none"] = "none"
    """The lower bound."""


class Targets(Settings):
    """What replayed images are learned towards, and what they may move."""

    mode: Literal["positive", "negative"] = "positive"
    """Negative: they move no row of a class that the day doesn't teach (Graffieti et al., appendix C)."""

    target: Literal["hard", "soft"] = "soft"
    """Hard: a class. Soft: the previous solver's response (Shin et al. 2017, equation 1)."""
    temperature: float = Field(default=2.0, gt=0)
    """Softens the response (van de Ven & Tolias 2018: 2); 1 leaves it as it is."""
    squared: bool = True
    """Multiply the loss of a softened response by the squared temperature (Hinton et al. 2015), so that its gradients stay as large."""


class ExactReplay(Targets):
    """Stored images."""

    type: Literal["exact"]
    """Experience replay."""
    target: Literal["hard", "soft", "logits"] = "soft"  # type: ignore[assignment]
    """Hard: a class. Soft: the previous solver's response. Logits: the class, and the logits as they were stored (DER++)."""
    dark: float = Field(default=1.0, ge=0)
    """Logits: weight of the mean squared distance from the stored ones beside the loss of the class: alpha / beta in equation 6 of Buzzega
    et al. (2020), whose beta is (1 - r) / r with r = `wake.ratio`; at r = 0.5 beta is 1 and this is alpha."""
    keep: Literal["balanced", "reservoir", "herding"] = "balanced"
    """As many of each class, at random; a uniform sample of all that came (Vitter 1985); or those nearest to the class mean (iCaRL)."""
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
    labels: Literal["solver", "random"] = "solver"
    """What each image is taken for: what the previous solver says, or a class at random, with a hard target (Graffieti et al., NR-RD)."""


class GeneratedReplay(Targets):
    """Images drawn from the dreamer as it was before the day (deep generative replay); no image is stored."""

    type: Literal["generated"]
    """As many of each class."""


class CurrentReplay(Targets):
    """The day's own images in the place of earlier ones: learning without forgetting (Li & Hoiem 2016)."""

    type: Literal["current"]
    """Only with soft targets: the previous solver's response to what is learned now."""
    target: Literal["soft"] = "soft"
    """The previous solver's response."""


Replay = Annotated[NoReplay | ExactReplay | NoiseReplay | GeneratedReplay | CurrentReplay, Field(discriminator="type")]


class NoPenalty(Settings):
    """Nothing holds the weights."""

    type: Literal["none"] = "none"
    """No penalty."""


class EwcPenalty(Settings):
    """Elastic weight consolidation (Kirkpatrick et al. 2017): a quadratic penalty, weighted with the Fisher information's diagonal."""

    type: Literal["ewc"]
    """Importance from the gradients of the network's own answers, after each day."""
    strength: float = Field(gt=0)
    """Weight of the penalty: lambda; the loss gets lambda / 2 times it."""
    online: bool = False
    """One running importance about the newest weights (Schwarz et al. 2018), or one penalty a day as in the paper."""
    decay: float = Field(default=1.0, gt=0, le=1)
    """Online: factor on the earlier importance each day: gamma."""
    samples: int = Field(default=0, ge=0)
    """Images of the day from which importance is measured; 0 for all."""


class SiPenalty(Settings):
    """Synaptic intelligence (Zenke et al. 2017): a quadratic penalty, weighted with each weight's part in the fall of the loss."""

    type: Literal["si"]
    """Importance from the path of the weights during each day."""
    strength: float = Field(gt=0)
    """Weight of the penalty: c."""
    damping: float = Field(default=0.1, gt=0)
    """Keeps the importance of weights that hardly moved finite: xi."""
    clip: float = Field(default=0.0, ge=0)
    """Importance is kept within 0 and this (AR1); 0: not clipped."""
    head: bool = True
    """Hold the head's rows too; without it the body alone (AR1)."""


Penalty = Annotated[NoPenalty | EwcPenalty | SiPenalty, Field(discriminator="type")]


class SoftmaxHead(Settings):
    """One softmax over the rows."""

    type: Literal["softmax"] = "softmax"
    """Trained by its gradient, as everything else."""
    active: Literal["seen", "task"] = "seen"
    """Which rows compete for the day's own images: all seen so far, or the day's alone (labels trick, Zeno et al. 2018; ER-ACE)."""


class CwrHead(Settings):
    """Copy weights with re-initialisation (Lomonaco & Maltoni 2017; CWR+ and AR1: Maltoni & Lomonaco 2019)."""

    type: Literal["cwr"]
    """Each day trains rows of its own, folded into the lasting rows when it ends."""
    centre: Literal["all", "row", "no"] = "all"
    """What is taken off a new row before it is kept: the mean of all rows (CWR+), its own (Graffieti et al.), nothing (CWR)."""
    freeze: bool = False
    """Train the body on the first day alone (CWR, CWR+)."""


class NearestMeanHead(Settings):
    """Rows are trained by their gradient, but the answer is the class whose mean features are nearest (iCaRL, Rebuffi et al. 2017)."""

    type: Literal["nearest-mean"]
    """Means of normalised features: of the day's images, and of the stored images of earlier classes."""


class BicHead(Settings):
    """Bias correction (Wu et al. 2019): after the day, two numbers for its rows are fitted to images that were held back."""

    type: Literal["bic"]
    """They are folded into the rows."""
    held: float = Field(default=0.1, gt=0, lt=1)
    """Share of the day's images that is held back, and as many a class of replay are drawn beside them."""


Head = Annotated[SoftmaxHead | CwrHead | NearestMeanHead | BicHead, Field(discriminator="type")]


class FirstDay(Settings):
    """What the first day does otherwise."""

    steps: int = Field(default=0, ge=0)
    """Optimizer steps; 0: as many as on later days."""
    lr: float = Field(default=0.0, ge=0)
    """Learning rate of rows and body alike; 0: `wake.lr`."""


class DreamedClasses(Settings):
    """What classes that never existed do by day, where the night makes them (`[sleep.rehearse] type = "classes"`)."""

    weight: float = Field(default=0.2, ge=0, lt=1)
    """Weight of the dreams in the loss; the day and replay share the rest."""
    batch: int = Field(default=32, ge=1)
    """Dreams a step."""
    pool: int = Field(default=64, ge=1)
    """Images of each dreamed class that are drawn when the day begins; none is stored."""
    recall: float = Field(default=0.0, ge=0)
    """Weight of what the previous solver says of the dreams, among the classes that it knew: they lie around its stored images (Li & Hoiem
    2017, who ask about the day's images). Added to the loss."""
    mapping: Literal["wins", "none"] = "wins"
    """Whether a task's new classes begin with the rows of the dreamed classes for which the learner takes their images the most often."""


class Wake(Settings):
    """[wake]: how a task is learned by day: L = (1/N) current + (1 - 1/N) replay, N tasks so far."""

    steps: int = Field(default=400, ge=1)
    """Optimizer steps a day, of the learner and of each of the judge's peers."""
    batch: int = Field(default=64, ge=1)
    """Images of the day a step, and as many replayed."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam with betas 0.9 and 0.999."""
    moments: Literal["fresh", "kept"] = "fresh"
    """What the optimizer knows of past gradients: nothing when a day begins, or all that the day before left (van de Ven & Tolias 2018, in
    code). Fresh, Adam's first steps are as large as its largest, on weights that earlier tasks need."""
    restart: bool = False
    """Begin each day with a freshly initialised learner; with `exact` replay of everything this is joint training."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of sgd."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Of sgd: share of each weight taken off a step, times the rate."""
    schedule: Literal["constant", "fading"] = "constant"
    """Constant: the same rates every day. Fading: times 1 - 1 / (1 + exp(8 - 1.5 i)) on day i (Graffieti et al., equation 16)."""
    faintest: float = Field(default=0.1, gt=0, le=1)
    """The least factor of a fading rate; the equation alone comes to nothing within ten days."""
    end_factor: float = Field(default=1.0, gt=0, le=1)
    """Within each day the rates fall linearly to this share of themselves; 1: they stay."""
    body_lr: float = Field(default=0.0, ge=0)
    """Learning rate of the body after the first day; 0: the same as the head's."""
    dreams: DreamedClasses = DreamedClasses()
    """Dreamed classes by day."""
    first: FirstDay = FirstDay()
    """What the first day does otherwise, when there is nothing yet to forget."""
    ratio: float | Literal["1/N"] = "1/N"
    """Weight r of the day's own images beside replay (Shin et al. 2017, equation 1); "1/N": one part in the tasks so far."""
    replay: Replay = NoReplay()
    """What of earlier tasks is replayed."""
    layer: str = ""
    """Latent replay (Pellegrini et al. 2020): replay is of this layer's activations and enters after it; empty: of images."""
    replay_batch: int = Field(default=0, ge=0)
    """Images replayed a step; 0: as many as of the day."""
    penalty: Penalty = NoPenalty()
    """What holds the weights that earlier tasks need."""
    head: Head = SoftmaxHead()
    """How the rows of the head are trained."""

    def steps_of(self, day: int) -> int:
        """Optimizer steps of a day, counted from 0."""
        return self.steps if day else self.first.steps or self.steps

    def rates_of(self, day: int) -> tuple[float, float]:
        """Learning rates of the body and of the rows on a day, counted from 0."""
        if day == 0:
            rate = self.first.lr or self.lr
            return rate, rate
        return self.body_lr or self.lr, self.lr
