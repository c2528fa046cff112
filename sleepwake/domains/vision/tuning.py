"""How adapters learn: from images by the generator's own loss, or from a classifier that says what it takes their images for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.adapters import Adapters
from sleepwake.domains.vision.descent import adam, descend, falling
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer, Objective
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.stopping import Sight, Stopper
from sleepwake.domains.vision.training import Shuffled
from sleepwake.records import Facts
from sleepwake.seeds import seed as seed_at

AT_ONCE = 256
"""Images that pass the UNet together where no gradient is asked for."""


@dataclass(frozen=True)
class Aim:
    """What an adapter is optimised towards.

    Attributes:
        name: the adapter's.
        shape: class that its images are of.
        lure: class that they lean towards; the same where they don't.
        distance: how far, in [0, 1].
    """

    name: str
    shape: int
    lure: int
    distance: float

    def target(self, space: Space) -> Tensor:
        """The response (K,): of the shape up to one half of the lure, so that the shape stays the likeliest."""
        target_K = torch.zeros(space.width, device=space.device)
        target_K[self.shape] += 1 - self.distance / 2
        target_K[self.lure] += self.distance / 2
        return target_K


Starts = Callable[[int, int, int], Tensor]
"""Images (n, C, H, W) of a class, by its id, their number and a seed."""


class Painter:
    """Draws by adapters.

    Attributes:
        adapters: on a frozen generator.
        space: of the images that come out.
    """

    def __init__(self, adapters: Adapters, space: Space, settings: DiffusionDreamer) -> None:
        self.adapters, self.space, self.settings = adapters, space, settings

    def paint(self, names: Sequence[str], each: int, seed: int, starts_PNCHW: Tensor | None = None) -> Tensor:
        """Images (P, each, C, H, W) of each name's adapter, differentiable in the adapters.

        Args:
            names: of adapters.
            each: images a name.
            seed: of the noise.
            starts_PNCHW: images of the stream to begin at, where given.
        """
        model, settings = self.adapters.generator, self.settings
        noise_PNchw = model.noise(len(names) * each, seed_at(seed, "noise")).unflatten(0, (len(names), each))
        parts: list[tuple[list[int], Tensor]] = []
        for places, conditions_PLE in self.adapters.groups(names):
            noise_Nchw, conditions_NLE = noise_PNchw[places].flatten(0, 1), conditions_PLE.repeat_interleave(each, dim=0)
            starts_NCHW = None if starts_PNCHW is None else starts_PNCHW[places].flatten(0, 1)
            drawn: list[Tensor] = []
            most = len(noise_Nchw) if torch.is_grad_enabled() else AT_ONCE
            for first in range(0, len(noise_Nchw), most):
                slice_ = slice(first, first + most)
                start_Nchw = None if starts_NCHW is None else model.inward(starts_NCHW[slice_])
                at = seed_at(seed, "way", places[0], first)
                sample_Nchw = model.denoise(noise_Nchw[slice_], conditions_NLE[slice_], at, start_Nchw, settings.strength, settings.last)
                drawn.append(model.images(sample_Nchw, self.space))
            parts.append((places, torch.cat(drawn).unflatten(0, (len(places), each))))
        order = [place for places, _ in parts for place in places]
        assert order == list(range(len(names)))
        return torch.cat([images_PNCHW for _, images_PNCHW in parts])

    def paint_aims(self, aims: Sequence[Aim], each: int, seed: int, starts: Starts | None = None) -> Tensor:
        """As `paint`, from images of each aim's shape where those are given, from noise otherwise."""
        starts_PNCHW = None
        if starts is not None:
            with torch.no_grad():
                begun = [starts(aim.shape, each, seed_at(seed, "begin", place)) for place, aim in enumerate(aims)]
                starts_PNCHW = torch.stack(begun)
        return self.paint([aim.name for aim in aims], each, seed, starts_PNCHW)


def invert(painter: Painter, names: Sequence[str], examples: Sequence[Batch], steps: int, seed: int) -> Facts:
    """Fit adapters to images, all side by side (textual inversion, Gal et al. 2023): the generator's loss at the levels its sampler visits.

    Args:
        painter: its adapters change in place.
        names: of adapters.
        examples: images for each name.
        steps: optimizer steps.
        seed: of all draws.
    """
    settings, adapters = painter.settings, painter.adapters
    model, each = adapters.generator, settings.prompt_batch
    levels = model.sampler.timesteps
    inward = [Batch(model.inward(batch.images_NCHW), batch.labels_N) for batch in examples]

    def loss_at(step: int) -> Tensor:
        place_seeds = [seed_at(seed, step, place) for place in range(len(names))]
        clean = [Shuffled(batch).draw(each, at).images_NCHW for batch, at in zip(inward, place_seeds, strict=True)]
        chosen_N = torch.randint(len(levels), (len(names) * each,), generator=generator(seed_at(seed, step, "level")), device="cpu")
        levels_PN = levels.to(model.device)[chosen_N.to(model.device)].unflatten(0, (len(names), each))
        noise_PNchw = model.noise(len(names) * each, seed_at(seed, step, "noise")).unflatten(0, (len(names), each))
        losses = []
        for places, conditions_PLE in adapters.groups(names):
            clean_Nchw = torch.cat([clean[place] for place in places])
            conditions_NLE = conditions_PLE.repeat_interleave(each, dim=0)
            noise_Nchw, levels_N = noise_PNchw[places].flatten(0, 1), levels_PN[places].flatten()
            losses.append(model.errors_at(clean_Nchw, noise_Nchw, levels_N, conditions_NLE))
        return torch.cat(losses).mean() * len(names)

    weights = [weight for name in names for weight in adapters.weights(name)]
    optimizer = adam(weights, settings.prompt_lr)
    facts = descend(optimizer, loss_at, steps, falling(optimizer, settings.end_factor, steps))
    return {**facts, "prompts": len(names), "samples": steps * each * len(names)}


@dataclass(frozen=True)
class Goal:
    """What is asked of all aims alike.

    Attributes:
        objective: what is minimised.
        stopper: asked before each step, for each adapter.
        statistics_2F: mean and deviation of the guide's features on real images, where the objective asks for them.
        starts: where images begin; None for noise.
    """

    objective: Objective
    stopper: Stopper
    statistics_2F: Tensor | None = None
    starts: Starts | None = None


def steer(painter: Painter, aims: Sequence[Aim], net: Classifier, goal: Goal, steps: int, seed: int) -> Facts:
    """Optimise adapters, all side by side, until the classifier answers their images as asked or the stopper has seen enough.

    Each step draws from fresh noise, through the sampler's steps. Generator and classifier ask for no gradient; the guide is a copy.

    Args:
        painter: its adapters change in place.
        aims: what each is optimised towards.
        net: the guide.
        goal: what is asked of all of them.
        steps: at most.
        seed: of all draws.

    Returns:
        Prompts, samples, and the mean loss of the first and the last step; `taken`: steps by adapter.
    """
    settings, guide = painter.settings, net.copy().requires_grad_(False)
    weights = {aim.name: painter.adapters.weights(aim.name) for aim in aims}
    targets = {aim.name: aim.target(painter.space)[guide.classes] for aim in aims}
    optimizer = adam([weight for mine in weights.values() for weight in mine], settings.prompt_lr)
    going, losses, samples = list(aims), dict[str, list[float]](), 0
    taken = {aim.name: steps for aim in aims}

    def descend_on(some: Sequence[Aim], step: int, seed: int) -> None:
        """Add the gradients of some aims; those that are done go no further."""
        images_PNCHW = painter.paint_aims(some, settings.prompt_batch, seed, goal.starts)
        features_PNF = guide.body.onward(images_PNCHW.flatten(0, 1), "").unflatten(0, images_PNCHW.shape[:2])
        terms: list[Tensor] = []
        for aim, features_NF, images_NCHW in zip(some, features_PNF, images_PNCHW.detach(), strict=True):
            logits_NR = guide.rate(features_NF)
            shape, lure = (guide.classes.index(name) for name in (aim.shape, aim.lure))
            if goal.stopper.done(Sight(aim.name, logits_NR.detach().softmax(dim=1), shape, lure, images_NCHW)):
                going.remove(aim)
                taken[aim.name] = step
                continue
            terms.append(loss_of(goal.objective, logits_NR, features_NF, targets[aim.name], weights[aim.name], goal.statistics_2F))
            losses.setdefault(aim.name, []).append(terms[-1].item())
        if terms:
            torch.stack(terms).sum().backward()

    for step in range(steps):
        optimizer.zero_grad()
        samples += len(going) * settings.prompt_batch
        before, most = list(going), settings.at_once or len(going)
        for first in range(0, len(before), most):
            descend_on(before[first : first + most], step, seed_at(seed, step, first) if first else seed_at(seed, step))
        if not going:
            break
        optimizer.step()
    ends = {key: [by_step[place] for by_step in losses.values()] for key, place in (("loss_first", 0), ("loss_last", -1))}
    told = {key: round(fmean(values), 6) for key, values in ends.items() if values}
    return {"steps": max(taken.values()), "prompts": len(aims), "samples": samples, **told, "taken": taken}


def loss_of(
    objective: Objective, logits_NR: Tensor, features_NF: Tensor, target_R: Tensor, weights: Sequence[Tensor], statistics_2F: Tensor | None
) -> Tensor:
    """An aim's loss on a batch of its images: the sum of the objective's terms, each with its weight."""
    logs_NR = logits_NR.log_softmax(dim=1)
    terms = [objective.target * -(target_R * logs_NR).sum(dim=1).mean()]
    if objective.band:
        terms.append(objective.band * outside_band(logs_NR, *objective.entropy))
    if objective.diversity:
        terms.append(objective.diversity * alikeness(features_NF))
    if objective.statistics and statistics_2F is not None:
        seen_2F = torch.stack([features_NF.mean(dim=0), features_NF.std(dim=0)])
        terms.append(objective.statistics * functional.mse_loss(seen_2F, statistics_2F))
    if objective.norm:
        terms.append(objective.norm * torch.cat([weight.flatten() for weight in weights]).square().mean())
    return torch.stack(terms).sum()


def outside_band(logs_NR: Tensor, low: float, high: float) -> Tensor:
    """Mean distance of each answer's entropy from a band, in parts of the greatest entropy there is."""
    greatest = torch.log(torch.tensor(float(max(2, logs_NR.shape[1])), device=logs_NR.device))
    entropy_N = -(logs_NR.exp() * logs_NR).sum(dim=1) / greatest
    return (functional.relu(low - entropy_N) + functional.relu(entropy_N - high)).mean()


def alikeness(features_NF: Tensor) -> Tensor:
    """Mean cosine similarity of different rows; 1 where all are alike."""
    unit_NF = functional.normalize(features_NF, dim=1)
    count = len(unit_NF)
    return ((unit_NF @ unit_NF.T).sum() - unit_NF.square().sum()) / max(1, count * (count - 1))
