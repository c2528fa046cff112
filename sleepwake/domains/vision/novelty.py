"""The judge of dreamed classes: is it none of those that are known? Its networks never guided a dream and never learn one."""

import torch
from torch import Tensor

from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.judges import Peers, Surroundings
from sleepwake.domains.vision.night_settings import NoveltyJudge, PeersJudge
from sleepwake.records import Verdicts


class Novelty(Peers):
    """Peers, asked another question."""

    def __init__(self, settings: NoveltyJudge, around: Surroundings) -> None:
        super().__init__(PeersJudge(type="peers", members=settings.members, hidden=settings.hidden), around)
        self.asked = settings

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        """Reward 1 minus the members' mean probability of the likeliest known class; 0 for a copy of an earlier dream of the batch.

        What is of a known class has collapsed onto one of the two that it was dreamed between; or it is a texture: the guide was brought to
        see these two in it, and networks that never guided it see a third.
        """
        assert self.frozen, "the judge was not frozen"
        chances_NK = torch.stack([member.response(material.images_NCHW) for member in self.frozen]).mean(dim=0)
        likeliest_N, class_N = chances_NK.max(dim=1)
        copies_N = copies(material, self.asked.copy_within)
        lures_N = material.labels_N if material.lures_N is None else material.lures_N
        between_N = (class_N == material.labels_N) | (class_N == lures_N)
        rewards, reasons = [], []
        seen = zip(likeliest_N.tolist(), class_N.tolist(), between_N.tolist(), copies_N.tolist(), strict=True)
        for chance, name, between, copied in seen:
            known = f"{'collapsed' if between else 'texture'}: is {self.around.space.classes[name]}" if chance > self.asked.known else ""
            rewards.append(0.0 if copied else min(1.0, max(0.0, 1.0 - chance)))
            reasons.append("copy: of another dream" if copied else known)
        return Verdicts(tuple(rewards), tuple(reasons), threshold=1.0 - self.asked.known)


def copies(material: Batch, within: float) -> Tensor:
    """Which images (N,) are nearer to an earlier one than a root mean square distance of their pixels."""
    return near(material.images_NCHW, within).tril(diagonal=-1).any(dim=1)


def near(images_NCHW: Tensor, within: float) -> Tensor:
    """Which pairs of images (N, N) are nearer than a root mean square distance of their pixels."""
    flat_ND = images_NCHW.flatten(start_dim=1)
    near_NN: Tensor = torch.cdist(flat_ND, flat_ND, compute_mode="donot_use_mm_for_euclid_dist") / flat_ND.shape[1] ** 0.5 < within
    return near_NN
