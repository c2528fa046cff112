"""Consolidation: what the night has brought is distilled together with the dusk teacher's knowledge."""

import torch
from torch import Tensor

from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.night_settings import DistilConsolidation
from sleepwake.domains.vision.training import Answered, Term, train
from sleepwake.records import Facts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as seed_at

SAMPLE = 512
"""Draws on which the divergence from the teacher is measured."""


def divergence(teacher: Classifier, student: Classifier, images_NCHW: Tensor) -> float:
    """Mean Kullback-Leibler divergence of the student's response from the teacher's, in nats."""
    teacher_NK, student_NK = teacher.response(images_NCHW), student.response(images_NCHW)
    terms_NK = torch.special.xlogy(teacher_NK, teacher_NK) - torch.special.xlogy(teacher_NK, student_NK.clamp(min=1e-12))
    return float(terms_NK.sum(dim=1).mean())


@torch.no_grad()
def distance(one: Classifier, other: Classifier) -> float:
    """Euclidean distance between two networks' weights."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return float(sum(float(((mine - theirs) ** 2).sum()) for mine, theirs in pairs) ** 0.5)


class Distil:
    """Distillation on draws of every class, from a weighted mean of the dusk teacher and the night's learner."""

    def __init__(self, settings: DistilConsolidation, space: Space) -> None:
        self.settings, self.space = settings, space

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Train the learner in place; says how far it was from the teacher before and after."""
        settings, teacher, night = self.settings, dusk.learner.net, mind.learner.net.copy()
        draws = mind.dreamer.source(mind.dreamer.classes, night)
        sample_NCHW = draws.draw(SAMPLE, seed_at(seed, "sample")).images_NCHW
        before = divergence(teacher, night, sample_NCHW)
        towards = Answered(draws, [teacher, night], settings.temperature, weights=[settings.dusk, 1 - settings.dusk])
        facts = train(mind.learner.net, [Term(1.0, towards, settings.batch)], settings.steps, settings.lr, seed_at(seed, "train"))
        return {
            **facts,
            "divergence_before": round(before, 6),
            "divergence_after": round(divergence(teacher, mind.learner.net, sample_NCHW), 6),
            "moved_by_night": round(distance(teacher, night), 6),
            "moved_by_consolidation": round(distance(night, mind.learner.net), 6),
        }
