"""Learners without gradients: running statistics that no order of tasks can change. They need no replay, and forget nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.tensors import generator, load_json, load_tensors, save_json, save_tensors, tensor_bytes
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Solver
from sleepwake.domains.vision.training import Source
from sleepwake.domains.vision.wake_settings import RidgeLearner, SldaLearner, Wake
from sleepwake.records import Facts, Look, Task

CHUNK = 4096
"""Images taken in at once."""


class Statistics(Solver):
    """A solver that is made of running sums.

    Attributes:
        sums: the sums by name.
    """

    def __init__(self, settings: Any, space: Space) -> None:
        super().__init__(space)
        self.settings = settings
        self.sums: dict[str, Tensor] = {}

    def grow(self, classes: Sequence[int], seed: int) -> None:
        """Know of classes."""
        self.classes = list(dict.fromkeys([*self.classes, *classes]))

    def observe(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        """Take a day's images in."""
        raise NotImplementedError

    def copy(self) -> Self:
        """An equal solver that shares nothing with this one."""
        twin = type(self)(self.settings, self.space)
        twin.classes, twin.sums = list(self.classes), {name: part.clone() for name, part in self.sums.items()}
        return twin


class Discriminant(Statistics):
    """Streaming linear discriminant analysis (Hayes & Kanan 2020): a mean a class, one covariance, all in one pass."""

    def observe(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        """Move the means, and add the scatter about them (Chan et al. 1979 where a class comes again)."""
        flat_ND = images_NCHW.flatten(start_dim=1).double()
        count, width = len(self.space.classes), flat_ND.shape[1]
        sums = self.sums or {
            "means": flat_ND.new_zeros(count, width), "counts": flat_ND.new_zeros(count), "scatter": flat_ND.new_zeros(width, width),
        }  # fmt: skip
        for name in self.classes:
            mine_ND = flat_ND[labels_N == name]
            if not len(mine_ND):
                continue
            mean_D, past, now = mine_ND.mean(dim=0), sums["counts"][name], len(mine_ND)
            centred_ND, apart_D = mine_ND - mean_D, mean_D - sums["means"][name]
            sums["scatter"] += centred_ND.T @ centred_ND + past * now / (past + now) * torch.outer(apart_D, apart_D)
            sums["means"][name] += apart_D * now / (past + now)
            sums["counts"][name] += now
        self.sums = sums

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Linear scores (N, R) with a covariance shrunk towards the identity."""
        flat_ND = images_NCHW.flatten(start_dim=1).double()
        if not self.sums:
            return flat_ND.new_zeros(len(flat_ND), len(self.classes)).float()
        covariance_DD = self.sums["scatter"] / self.sums["counts"].sum()
        shrunk_DD = torch.lerp(
            covariance_DD, torch.eye(len(covariance_DD), dtype=torch.float64, device=flat_ND.device), self.settings.shrinkage
        )
        means_RD = self.sums["means"][self.classes]
        weights_RD = torch.linalg.solve(shrunk_DD, means_RD.T).T
        scores_NR: Tensor = flat_ND @ weights_RD.T - 0.5 * (weights_RD * means_RD).sum(dim=1)
        return scores_NR.float()


class Ridge(Statistics):
    """Random ReLU features with a ridge regression onto one-hot classes, solved from running sums (RanPAC, McDonnell et al. 2023)."""

    def features(self, images_NCHW: Tensor) -> Tensor:
        """Fixed random features (N, F), the same for every run of a seed."""
        flat_ND = images_NCHW.flatten(start_dim=1)
        chance = generator(self.space.at("ridge"))
        width = self.settings.features
        weight_DF = torch.randn(flat_ND.shape[1], width, generator=chance, device="cpu").to(flat_ND.device) / flat_ND.shape[1] ** 0.5
        bias_F = torch.rand(width, generator=chance, device="cpu").to(flat_ND.device) - 0.5
        features_NF: Tensor = flat_ND @ weight_DF + bias_F
        return features_NF.relu()

    def observe(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        """Add the features' products with themselves and with the classes."""
        width, count = self.settings.features, len(self.space.classes)
        if not self.sums:
            self.sums = {"gram": images_NCHW.new_zeros(width, width), "cross": images_NCHW.new_zeros(width, count)}
        for part_NCHW, part_N in zip(images_NCHW.split(CHUNK), labels_N.split(CHUNK), strict=True):
            features_NF = self.features(part_NCHW)
            self.sums["gram"] += features_NF.T @ features_NF
            self.sums["cross"] += features_NF.T @ functional.one_hot(part_N, count).float()
        self.weights = None

    weights: Tensor | None = None
    """Solution (F, K); solved when first asked for."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Regressed scores (N, R)."""
        if not self.sums:
            return images_NCHW.new_zeros(len(images_NCHW), len(self.classes))
        if self.weights is None:
            gram_FF = self.sums["gram"].double()
            gram_FF.diagonal().add_(self.settings.ridge)
            self.weights = torch.linalg.solve(gram_FF, self.sums["cross"].double()).float()
        return self.features(images_NCHW) @ self.weights[:, self.classes]


class Counting:
    """A learner made of running sums: each day's images are taken in once."""

    def __init__(self, settings: SldaLearner | RidgeLearner, wake: Wake, space: Space) -> None:
        self.space = space
        self.net: Statistics = (Discriminant if isinstance(settings, SldaLearner) else Ridge)(settings, space)

    def open(self, task: Task, seed: int, examples: Batch | None = None) -> None:
        """Know the task's classes."""
        self.net.grow(self.space.ids(task.parts), seed)

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int, look: Look | None = None) -> Facts:
        """Take the images in; `learned` is the share answered right after it."""
        self.net.observe(examples.images_NCHW, examples.labels_N)
        right_N = self.net.answer(examples.images_NCHW, self.space.among(task.parts)) == examples.labels_N
        return {"steps": 1, "samples": len(examples), "learned": round(right_N.float().mean().item(), 6)}

    def save(self, folder: Path) -> None:
        """Sums and classes."""
        save_json({"classes": self.net.classes}, folder / "rows.json")
        save_tensors(self.net.sums, folder / "sums.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.net = type(self.net)(self.net.settings, self.space)
        self.net.classes = load_json(folder / "rows.json")["classes"]
        self.net.sums = load_tensors(folder / "sums.safetensors", self.space.device)

    def metrics(self) -> Facts:
        """Classes and bytes."""
        return {"rows": len(self.net.classes), "bytes": tensor_bytes(self.net.sums)}
