"""The generative classifier: a VAE a class, each learned once; the answer is the class whose VAE finds the image likeliest."""

from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from sleepwake.domains.tensors import generator, load_json, load_module, module_bytes, save_json, save_module
from sleepwake.domains.vision.generators import Supply, Vae, fit, tell
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Solver
from sleepwake.domains.vision.training import Shuffled, Source
from sleepwake.domains.vision.wake_settings import GenerativeLearner, Wake
from sleepwake.records import Facts, Look, Task
from sleepwake.seeds import seed as seed_at

CHUNK, FEW = 100, 200
"""Images scored at once, and after a day."""


class Likelihoods(Solver):
    """Logits are estimated log-likelihoods, by importance sampling from each VAE's encoder (van de Ven, Li & Tolias 2021, equation 3).

    Images are scored by the likelihood that the VAE was trained with. Theirs scores as a Gaussian of unit variance what was trained as
    Bernoulli; the encoder, which is as narrow as the Bernoulli posterior, is then a poor proposal (docs/results/replay.md).
    """

    def __init__(self, settings: GenerativeLearner, space: Space) -> None:
        super().__init__(space)
        self.settings = settings
        self.vaes = nn.ModuleList()
        """One for each task, its classes side by side."""

    def grow(self, classes: Sequence[int], seed: int) -> None:
        """A fresh VAE for each new class."""
        self.vaes.append(Vae(self.settings.vae, self.space, len(classes), 0, seed))
        self.classes = [*self.classes, *classes]

    @torch.no_grad()
    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Log-likelihoods (N, R) up to a constant."""
        return torch.cat([self._scores(part.flatten(start_dim=1)) for part in images_NCHW.split(CHUNK)])

    def _scores(self, images_ND: Tensor) -> Tensor:
        scores = []
        for place, vae in enumerate(self.vaes):
            assert isinstance(vae, Vae)
            groups, latent, samples = vae.decoder.groups, self.settings.vae.latent, self.settings.samples
            means_GNZ, logs_GNZ = vae.encoder(images_ND.expand(groups, -1, -1)).chunk(2, dim=2)
            chance = generator(self.space.at("likelihood", place))
            noise = torch.randn((groups, samples, 1, latent), generator=chance, device="cpu").to(images_ND.device)
            codes_GSNZ = means_GNZ[:, None] + (0.5 * logs_GNZ).exp()[:, None] * noise
            shown_GBD = images_ND.repeat(samples, 1).expand(groups, -1, -1)
            fits_GSN = -vae.decoder.surprise(vae.decoder(codes_GSNZ.flatten(1, 2)), shown_GBD).unflatten(1, (samples, len(images_ND)))
            prior_GSN = -0.5 * (codes_GSNZ**2).sum(dim=3)
            drawn_GSN = -0.5 * (noise**2 + logs_GNZ[:, None]).sum(dim=3)
            scores.append((fits_GSN + prior_GSN - drawn_GSN).logsumexp(dim=1).T - log(samples))
        return torch.cat(scores, dim=1)

    def copy(self) -> Self:
        """An equal solver that shares nothing with this one."""
        twin = type(self)(self.settings, self.space)
        start = 0
        for vae in self.vaes:
            assert isinstance(vae, Vae)
            twin.grow(self.classes[start : start + vae.decoder.groups], seed=0)
            start += vae.decoder.groups
        twin.load_state_dict(self.state_dict())
        return twin


class Generative:
    """A learner that fits a VAE to each class of the day, and never touches it again."""

    def __init__(self, settings: GenerativeLearner, wake: Wake, space: Space) -> None:
        self.settings, self.space = settings, space
        self.net = Likelihoods(settings, space)

    def open(self, task: Task, seed: int, examples: Batch | None = None) -> None:
        """Room for the task's classes; `check_together` sees to it that none of them comes twice."""
        self.net.grow(self.space.ids(task.parts), seed_at(seed, "vae"))

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int, look: Look | None = None) -> Facts:
        """Fit; `learned` is the share of a few of the images that are answered right after it, since likelihoods are dear."""
        vae = self.net.vaes[-1]
        assert isinstance(vae, Vae)
        flat = [examples.images_NCHW[examples.labels_N == name].flatten(start_dim=1) for name in self.space.ids(task.parts)]
        told = [tell(torch.zeros(len(part), dtype=torch.int64, device=part.device), 0) for part in flat]
        facts = fit(vae, [(1.0, Supply(flat, told))], seed)
        few = Shuffled(examples).draw(FEW, seed_at(seed, "few"))
        right_N = self.net.answer(few.images_NCHW, self.space.among(task.parts)) == few.labels_N
        return {**facts, "learned": round(right_N.float().mean().item(), 6)}

    def save(self, folder: Path) -> None:
        """Weights, and the classes of each task's VAEs."""
        sizes = [vae.decoder.groups for vae in self.net.vaes if isinstance(vae, Vae)]
        save_json({"classes": self.net.classes, "sizes": sizes}, folder / "rows.json")
        if sizes:
            save_module(self.net, folder / "vaes.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        kept = load_json(folder / "rows.json")
        self.net, start = Likelihoods(self.settings, self.space), 0
        for size in kept["sizes"]:
            self.net.grow(kept["classes"][start : start + size], seed=0)
            start += size
        if kept["sizes"]:
            load_module(self.net, folder / "vaes.safetensors")

    def metrics(self) -> Facts:
        """Classes and bytes."""
        return {"rows": len(self.net.classes), "bytes": module_bytes(self.net)}
