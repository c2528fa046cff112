"""Rehearsal: the learner trains by night on what the judge accepted."""

from collections.abc import Callable

from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.night_settings import SupervisedRehearsal
from sleepwake.domains.vision.training import Answered, Shuffled, Source, Term, train
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as seed_at


class Supervised:
    """Accepted dreams, mixed with ordinary draws of every class, towards the ensemble's response or the intended class."""

    def __init__(self, settings: SupervisedRehearsal, space: Space) -> None:
        self.settings, self.space = settings, space

    def rehearse(
        self, mind: Mind, dusk: Callable[[], Mind], material: Batch, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Batch, Verdicts, Facts]:
        """Train the learner in place; `learned` is the share of accepted dreams answered as intended after it and not before.

        Args:
            mind: its judge is frozen; its dreamer draws.
            material: the round's dreams.
            verdicts: on them; None accepts all.
            rate: factor on the learning rate.
            seed: of all draws.
        """
        settings = self.settings
        verdicts = verdicts or Verdicts((1.0,) * len(material), ("",) * len(material))
        accepted = material.select(verdicts.accepted)
        if len(accepted) < settings.fewest:
            return material, verdicts, {"skipped": f"{len(accepted)} accepted dreams, fewer than {settings.fewest}"}
        before = mind.learner.net.copy()
        dreams: Source = Shuffled(Batch(accepted.images_NCHW, accepted.labels_N))
        draws: Source = mind.dreamer.source(mind.dreamer.classes, before)
        if settings.target == "ensemble":
            solvers = [before, *mind.judge.frozen]
            dreams, draws = (Answered(source, solvers, settings.temperature) for source in (dreams, draws))
        terms = [Term(settings.share, dreams, settings.batch), Term(1 - settings.share, draws, settings.batch)]
        facts = train(mind.learner.net, terms, settings.steps, settings.lr * rate, seed_at(seed, "train"))
        right_before_N = before.answer(accepted.images_NCHW) == accepted.labels_N
        right_after_N = mind.learner.net.answer(accepted.images_NCHW) == accepted.labels_N
        learned = (right_after_N & ~right_before_N).float().mean().item()
        return material, verdicts, {**facts, "trained_on": len(accepted), "learned": round(learned, 6)}
