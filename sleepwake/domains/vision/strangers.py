"""Images of no class that is known: what a judge must have seen, or it is sure of anything (outlier exposure, Hendrycks et al. 2019)."""

from dataclasses import dataclass

import torch

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision import strokes
from sleepwake.domains.vision.images import Batch, Space, fitted
from sleepwake.domains.vision.training import Source
from sleepwake.seeds import seed as seed_at

MIXED = (0.3, 0.7)
"""How much of the other image a mixture has."""


@dataclass(frozen=True)
class Strangers:
    """Mixtures of two images of different classes; where the two are of one class a drawing, or the image with its pixels shuffled.

    No dream and no image of another data set is among them.

    Attributes:
        known: where images of known classes come from.
        space: of the images.
        label: the id that they get.
    """

    known: Source
    space: Space
    label: int

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images."""
        one, other = (self.known.draw(n, seed_at(seed, place)) for place in ("one", "other"))
        chance, device = generator(seed_at(seed, "share")), one.labels_N.device
        share_N111 = torch.empty(n, 1, 1, 1, device="cpu").uniform_(*MIXED, generator=chance).to(device)
        mixed_NCHW = torch.lerp(one.images_NCHW, other.images_NCHW, share_N111)
        order_NP = torch.rand(n, one.images_NCHW[0, 0].numel(), generator=chance, device="cpu").argsort(dim=1).to(device)
        channels, height, width = self.space.shape
        shuffled_NCHW = one.images_NCHW.flatten(2).gather(2, order_NP[:, None].expand(-1, channels, -1)).view_as(one.images_NCHW)
        drawn_N1HW, _ = strokes.draw(n, height, width, seed_at(seed, "drawings"))
        drawn_NCHW = fitted(drawn_N1HW.to(device), self.space.shape)
        apart_N = one.labels_N != other.labels_N
        heads_N = (torch.rand(n, generator=chance, device="cpu") < 0.5).to(device)
        alike_NCHW = torch.where(heads_N[:, None, None, None], drawn_NCHW, shuffled_NCHW)
        images_NCHW = torch.where(apart_N[:, None, None, None], mixed_NCHW, alike_NCHW)
        return Batch(images_NCHW, torch.full((n,), self.label, device=device))
