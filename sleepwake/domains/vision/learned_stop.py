"""The stopper that learns: from how far the judge accepted images of the way, in hindsight."""

from collections import defaultdict
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.vision.dreamer_settings import LearnedStop
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.stopping import Sight
from sleepwake.records import Facts
from sleepwake.roles import Judge
from sleepwake.seeds import seed as seed_at

WIDTH = 17
"""Numbers that are seen at a step."""


class Hindsight:
    """What was seen at steps of earlier nights, and whether it would have been well to stop there."""

    def __init__(self) -> None:
        self.seen_TF = torch.empty((0, WIDTH), device="cpu")
        """An item a step, as `Learned` sees it."""
        self.good_T = torch.empty(0, dtype=torch.bool, device="cpu")
        """Whether no later step of the same way was better."""

    def tensors(self) -> dict[str, Tensor]:
        """All of it, by name."""
        return {"seen_TF": self.seen_TF, "good_T": self.good_T}

    def rule(self) -> Any:
        """A classifier of such items; None as long as there is nothing to tell apart."""
        if not 0 < int(self.good_T.sum()) < len(self.good_T):
            return None
        with threadpool_limits(limits=1, user_api="blas"):
            rule = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
            return rule.fit(self.seen_TF.numpy(), self.good_T.numpy())

    def add(self, seen_TF: Tensor, shares_T: Tensor, margin: float) -> None:
        """Take in a way: it would have been well to stop at a step where no later one had a larger share accepted, but for a margin.

        Shares are of a few images each, so that each is the mean of its neighbours' and its own.
        """
        smooth_T = functional.avg_pool1d(shares_T[None], 3, stride=1, padding=1, count_include_pad=False)[0]
        later_T = smooth_T.flip(0).cummax(dim=0).values.flip(0)
        self.seen_TF = torch.cat([self.seen_TF, seen_TF])
        self.good_T = torch.cat([self.good_T, smooth_T >= later_T - margin])


class Learned:
    """Stops where the steps of earlier nights that looked so were good ones; never before there were such.

    The first adapters of each round go on to the last step, whatever they look like, so that there is hindsight of whole ways. Dream2Learn
    (arXiv 2603.01935) has a network that learns when to stop and doesn't say how its targets are made; this is our reading.
    """

    def __init__(self, settings: LearnedStop, hindsight: Hindsight, steps: int) -> None:
        self.settings, self.hindsight, self.steps = settings, hindsight, steps
        self.rule = hindsight.rule()
        self.whole: list[str] = []
        """Adapters that go on to the last step."""
        self.seen: dict[str, list[Tensor]] = defaultdict(list)
        """What was seen of each adapter, a step an item."""
        self.images: dict[str, list[Tensor]] = defaultdict(list)
        """Each step's images (N, C, H, W) of those that go on to the last."""

    def done(self, sight: Sight) -> bool:
        """Whether it looks good enough."""
        mine, name = self.seen[sight.name], sight.name
        mine.append(self._look(sight, mine[-1] if mine else None))
        if name not in self.whole and (self.rule is None or len(self.whole) < self.settings.explore):
            self.whole.append(name)
        if name in self.whole:
            self.images[name].append(sight.images_NCHW)
            return False
        return self.rule is not None and bool(self.rule.predict(mine[-1][None].numpy())[0])

    def _look(self, sight: Sight, before_F: Tensor | None) -> Tensor:
        """Mean and deviation of four numbers an image, how far they have moved since the last step, and how many steps were taken."""
        chances_NR = sight.chances_NR.cpu()
        entropy_N = -(chances_NR * chances_NR.clamp_min(1e-9).log()).sum(dim=1)
        numbers_N4 = torch.stack([chances_NR[:, sight.shape], chances_NR[:, sight.lure], chances_NR.max(dim=1).values, entropy_N], dim=1)
        now_8 = torch.cat([numbers_N4.mean(dim=0), numbers_N4.std(dim=0, correction=0)])
        moved_8 = torch.zeros(8, device="cpu") if before_F is None else now_8 - before_F[:8]
        return torch.cat([now_8, moved_8, torch.tensor([len(self.seen[sight.name]) / self.steps], device="cpu")])

    def learn(self, judge: Judge, seed: int) -> Facts:
        """Show the judge the images of each whole way, a step at a time, and take its verdicts in."""
        for name in self.whole:
            shares = []
            for step, images_NCHW in enumerate(self.images[name]):
                batch = Batch(images_NCHW, torch.zeros(len(images_NCHW), dtype=torch.int64, device=images_NCHW.device))
                shares.append(sum(judge.verdicts(batch, seed_at(seed, name, step)).accepted) / len(batch))
            self.hindsight.add(torch.stack(self.seen[name]), torch.tensor(shares, device="cpu"), self.settings.margin)
        return {"ways": len(self.whole), "good": int(self.hindsight.good_T.sum()), "seen": len(self.hindsight.good_T)}
