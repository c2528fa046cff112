"""How the rows of the head are trained: by plain gradient, or aside and then consolidated (CWR). One class each."""

from collections import Counter
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.training import Source
from sleepwake.domains.vision.wake_settings import CwrHead
from sleepwake.records import Task
from sleepwake.seeds import seed as seed_at

SPREAD = 0.05
"""Rows that start at random start uniform within this."""


class Softmax:
    """Nothing but the gradient."""

    freezes = False
    """Whether the body is trained on the first day alone."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def begin(self, net: Classifier, task: Task, replayed: bool, seed: int) -> None:
        """Nothing to prepare."""

    def hold(self, examples: Batch, seed: int) -> tuple[Batch, Batch | None]:
        """The images to learn from, and those held back for `correct`: here all, and none."""
        return examples, None

    def correct(self, net: Classifier, held: Batch, replay: Source, seed: int) -> None:
        """Look at what was held back."""

    def end(self, net: Classifier, examples: Batch, replay: Source | None, replayed: int, negative: bool, seed: int) -> None:
        """Nothing to consolidate."""

    def state(self) -> dict[str, Any]:
        """No state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """No state."""


class Cwr(Softmax):
    """Copy weights with re-initialisation: each day trains rows of its own, which are folded into the lasting rows when it ends.

    Consolidation after Algorithm 1 of generative negative replay (Graffieti et al., ICLR 2022 submission): a trained row has its mean taken
    off; a row of a class that was known already becomes the mean of what it was, counted sqrt(past / current) times, and what it is; a row
    whose class was only replayed likewise (positive replay), or stays what it was (negative replay).
    """

    def __init__(self, settings: CwrHead) -> None:
        super().__init__(settings)
        self.past: Counter[int] = Counter()
        """Images of each class so far."""
        self.freezes = settings.freeze
        self.lasting: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def begin(self, net: Classifier, task: Task, replayed: bool, seed: int) -> None:
        """Put the lasting rows aside; start from those of known classes that come again, and otherwise anew (CWR: at random, else zero)."""
        self.lasting = net.weight_RF.detach().clone(), net.bias_R.detach().clone()
        again = {name for name in self.past if replayed or name in net.space.ids(task.parts)}
        fresh = [row for row, name in enumerate(net.classes) if name not in again]
        for rows, place in ((net.weight_RF, "weight"), (net.bias_R, "bias")):
            if self.settings.centre == "no":
                drawn = torch.rand(rows.shape, generator=generator(seed_at(seed, place)), device="cpu").to(rows.device)
                rows[fresh] = (2 * SPREAD * drawn - SPREAD)[fresh]
            else:
                rows[fresh] = 0.0

    @torch.no_grad()
    def end(self, net: Classifier, examples: Batch, replay: Source | None, replayed: int, negative: bool, seed: int) -> None:
        """Consolidate.

        Args:
            net: its rows as the day has trained them.
            examples: the day's images.
            replay: what was replayed.
            replayed: images replayed during the day, of all earlier classes together.
            negative: whether replay may move no row of its own classes.
            seed: of draws from replay.
        """
        assert self.lasting is not None, "a day begins before it ends"
        counts = Counter(examples.labels_N.tolist())
        earlier = [name for name in self.past if name not in counts]
        current = counts + Counter({name: replayed // len(earlier) for name in earlier} if replayed else {})
        for rows, before in zip((net.weight_RF, net.bias_R), self.lasting, strict=True):
            trained, kept = rows.clone(), before.clone()
            for row, name in enumerate(net.classes):
                if name in counts:
                    kept[row] = trained[row]
            off = kept.mean() if self.settings.centre == "all" else 0.0
            for row, name in enumerate(net.classes):
                if not current[name] or (negative and name not in counts):
                    rows[row] = before[row]
                    continue
                mean = trained[row].mean() if self.settings.centre == "row" and rows.dim() > 1 else off
                share = sqrt(self.past[name] / current[name])
                rows[row] = (before[row] * share + trained[row] - mean) / (share + 1)
        self.past.update(counts)
        self.lasting = None

    def state(self) -> dict[str, Any]:
        """Images of each class so far."""
        return {"past": sorted(self.past.items())}

    def restore(self, state: dict[str, Any]) -> None:
        """Copy what `state` gave."""
        self.past = Counter(dict(state["past"]))
