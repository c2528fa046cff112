"""What a vision recipe can say of the deep bodies, MobileNetV1 and ResNet. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from sleepwake.settings import Settings

Positive = Annotated[int, Field(ge=1)]


class RandomWeights(Settings):
    """Weights at random; written as {}."""


class FolderWeights(Settings):
    """Weights from a folder."""

    folder: str
    """For a deep body config.json and model.safetensors, as transformers writes them; for `mlp` and `cnn` the `learner` folder of another
    run's checkpoint. A relative path is sought where data are."""


class HubWeights(Settings):
    """Weights from the Hugging Face hub; the one thing for which a vision recipe goes online."""

    hub: str
    """An id such as "google/mobilenet_v1_1.0_224" or "microsoft/resnet-18"."""


class DeepBody(Settings):
    """What bodies of transformers have in common."""

    weights: FolderWeights | HubWeights | RandomWeights = RandomWeights()
    """Where the body's first weights come from: { folder = "..." }, { hub = "..." }, or at random."""
    mean: list[float] = Field(default=[0.5], min_length=1)
    """Taken off the pixels, which are in [0, 1]: one number, or one a channel; as the weights were trained."""
    deviation: list[Annotated[float, Field(gt=0)]] = Field(default=[0.5], min_length=1)
    """Divides them then: one number, or one a channel."""
    norm: Literal["batch", "renorm"] = "batch"
    """Batch normalisation, or batch renormalisation (Ioffe 2017): by day much nearer to what is used after it."""
    norm_momentum: float = Field(default=0.1, gt=0, le=1)
    """Share of a step's statistics in the running ones, which count everywhere but in training."""
    r_max: float = Field(default=3.0, ge=1)
    """Renorm: the correction of the deviation is kept within 1 / r_max and r_max."""
    d_max: float = Field(default=5.0, ge=0)
    """Renorm: the correction of the mean is kept within -d_max and d_max."""
    relax: int = Field(default=0, ge=0)
    """Renorm: steps over which a fresh body's bounds go from those of batch normalisation (1 and 0) to the ones named; 0: one step."""


MOBILENET_BLOCKS = ["2_1", "2_2", "3_1", "3_2", "4_1", "4_2", "5_1", "5_2", "5_3", "5_4", "5_5", "5_6", "6"]
"""Depthwise-separable convolutions by their names in the Caffe model, which papers on latent replay use."""


class MobileNetLearner(DeepBody):
    """MobileNetV1 (Howard et al. 2017) with layers conv1, conv2_1, ..., conv5_6, conv6, pool, and one head that grows with the classes."""

    type: Literal["mobilenet"]
    """A convolution, 13 depthwise-separable ones, and the mean over places."""
    width: float = Field(default=1.0, gt=0)
    """Factor on the channels, which are 32 to 1,024."""
    least: int = Field(default=8, ge=1)
    """No layer has fewer channels."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers after which replay may enter."""
        return ["conv1", *(f"conv{name}" for name in MOBILENET_BLOCKS), "pool"]


class ResNetLearner(DeepBody):
    """ResNet (He et al. 2016), by default ResNet-18, with layers stem, layer1, ..., pool, and one head that grows with the classes."""

    type: Literal["resnet"]
    """Residual blocks of two 3 x 3 convolutions, and the mean over places."""
    channels: list[Positive] = Field(default=[64, 128, 256, 512], min_length=1)
    """Channels of each layer; each but the first halves height and width."""
    depths: list[Positive] = Field(default=[2, 2, 2, 2], min_length=1)
    """Residual blocks of each layer, as many numbers as `channels`."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers after which replay may enter."""
        return ["stem", *(f"layer{place + 1}" for place in range(len(self.channels))), "pool"]
