"""When a dream is done: whoever says so sees each step's images and the guide's answers to them, and nothing else."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from sleepwake.domains.vision.dreamer_settings import BandStop, FixedStop, HitsStop


@dataclass(frozen=True)
class Sight:
    """What is seen of one adapter before a step.

    Attributes:
        name: the adapter's.
        chances_NR: the guide's probabilities of its images.
        shape: row of the class that they are of.
        lure: row of the class that they lean towards; the same where they don't.
        images_NCHW: the images.
    """

    name: str
    chances_NR: Tensor
    shape: int
    lure: int
    images_NCHW: Tensor


class Stopper(Protocol):
    """Says when to stop. Begun anew for each night's round, so that nothing lasts."""

    def done(self, sight: Sight) -> bool:
        """Whether this adapter should change no more."""
        ...


class Fixed:
    """Never before the last step."""

    def __init__(self, settings: FixedStop) -> None:
        self.settings = settings

    def done(self, sight: Sight) -> bool:
        """No."""
        return False


class Hits:
    """After several steps in a row whose images mostly lie between the pair."""

    def __init__(self, settings: HitsStop) -> None:
        self.settings = settings
        self.run: Counter[str] = Counter()
        """Steps in a row so far, by adapter."""

    def done(self, sight: Sight) -> bool:
        """Whether this was the last of enough hits: shape and lure are the likeliest rows of so large a share of the images."""
        wanted = {sight.shape, sight.lure}
        likeliest = sight.chances_NR.topk(len(wanted), dim=1).indices.tolist()
        share = sum(set(rows) == wanted for rows in likeliest) / len(likeliest)
        self.run[sight.name] = self.run[sight.name] + 1 if share >= self.settings.share else 0
        return self.run[sight.name] >= self.settings.hits


class Band:
    """Once the mean probability of the likeliest row lies in a band."""

    def __init__(self, settings: BandStop) -> None:
        self.settings = settings

    def done(self, sight: Sight) -> bool:
        """Whether it does."""
        mean = sight.chances_NR.max(dim=1).values.mean().item()
        return self.settings.low <= mean <= self.settings.high


def stopper_of(settings: FixedStop | HitsStop | BandStop) -> Stopper:
    """The rule that a recipe asks for, of those that learn nothing."""
    if isinstance(settings, HitsStop):
        return Hits(settings)
    return Band(settings) if isinstance(settings, BandStop) else Fixed(settings)
