"""MobileNetV1 and ResNet of transformers as chains of named layers, with weights at random, from a folder or from the hub."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MobileNetV1Config, MobileNetV1Model, ResNetConfig, ResNetModel

from sleepwake.domains.vision.body_settings import DeepBody, FolderWeights, MobileNetLearner, RandomWeights, ResNetLearner
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.renorm import renormalised
from sleepwake.errors import DataError

Layers = list[tuple[str, nn.Module]]


class Scaled(nn.Module):
    """Pixels in [0, 1] as the network was trained on them: less a mean, over a deviation."""

    def __init__(self, settings: DeepBody, space: Space) -> None:
        super().__init__()
        for name in ("mean", "deviation"):
            numbers = getattr(settings, name)
            if len(numbers) not in (1, space.shape[0]):
                raise DataError(f"learner.{name} has {len(numbers)} numbers, the images {space.shape[0]} channels", f"{name} = [0.5]")
            self.register_buffer(name, torch.tensor(numbers, device=space.device)[:, None, None], persistent=False)
        self.mean: Tensor
        self.deviation: Tensor

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Shift and scale."""
        return (images_NCHW - self.mean) / self.deviation


class MeanOfPlaces(nn.Module):
    """The mean over height and width: (N, C, H, W) -> (N, C). Torch's own pooling has no deterministic gradient on a GPU."""

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Take the mean."""
        return maps_NCHW.mean(dim=(2, 3))


def layers_of(settings: MobileNetLearner | ResNetLearner, space: Space) -> tuple[Layers, int]:
    """Freshly initialised layers by name, and how many features the last one gives; on the device of the context."""
    model = bare(settings, space)
    renormalised(model, settings)
    width: int = settings.channels[-1] if isinstance(settings, ResNetLearner) else model.layer[-1].convolution.out_channels
    return [("scale", Scaled(settings, space)), *named(settings, model), ("pool", MeanOfPlaces())], width


def bare(settings: MobileNetLearner | ResNetLearner, space: Space) -> Any:
    """The model as transformers builds it, with weights at random (He et al. 2015)."""
    channels = space.shape[0]
    if isinstance(settings, MobileNetLearner):
        config = MobileNetV1Config(num_channels=channels, depth_multiplier=settings.width, min_depth=settings.least)
        model = MobileNetV1Model(config, add_pooling_layer=False)
        for part in model.modules():
            if isinstance(part, nn.Conv2d):  # transformers' spread of 0.02 leaves no signal where normalisation isn't by the batch alone
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        return model
    shape = {"embedding_size": settings.channels[0], "hidden_sizes": settings.channels, "depths": settings.depths}
    return ResNetModel(ResNetConfig(num_channels=channels, layer_type="basic", **shape))


def named(settings: MobileNetLearner | ResNetLearner, model: Any) -> Layers:
    """A model's convolutional layers under the names of `settings.layers`; a MobileNet block is its depthwise and pointwise convolution."""
    if isinstance(settings, MobileNetLearner):
        parts = [part for _, part in model.layer.named_children()]
        blocks = [nn.Sequential(*parts[place : place + 2]) for place in range(0, len(parts), 2)]
        return list(zip(settings.layers, [model.conv_stem, *blocks], strict=False))
    return list(zip(settings.layers, [model.embedder, *model.encoder.stages], strict=False))


def pretrained(body: nn.Module, settings: MobileNetLearner | ResNetLearner) -> None:
    """Copy the weights that the settings name into a fresh body; nothing where they name none.

    Raises:
        DataError: they can't be read, or are of another shape.
    """
    if isinstance(settings.weights, RandomWeights):
        return
    local = isinstance(settings.weights, FolderWeights)
    place = settings.weights.folder if isinstance(settings.weights, FolderWeights) else settings.weights.hub
    kind = MobileNetV1Model if isinstance(settings, MobileNetLearner) else ResNetModel
    try:
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            model = kind.from_pretrained(place, local_files_only=local, use_safetensors=True)
            pour(body, nn.ModuleDict(dict(named(settings, model))).state_dict(), settings)
    except (OSError, ValueError, RuntimeError) as error:  # what transformers and torch raise for no such model, and for another shape
        raise DataError(f"learner.weights: {place} can't be taken for a {settings.type} of these settings: {error}") from error


def pour(body: nn.Module, state: Mapping[str, Tensor], settings: DeepBody) -> None:
    """Copy a state of the same names and shapes into a body; its running statistics count as settled ones."""
    settled = max(settings.relax, round(1 / settings.norm_momentum))
    counts = {name: torch.full_like(part, settled) for name, part in state.items() if name.endswith("num_batches_tracked")}
    body.load_state_dict({**state, **counts})
