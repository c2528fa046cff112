"""Consolidation without training: PEFT folds the night's LoRA into the lasting weights, whole, pruned or re-factored. A baseline.

TIES: arXiv 2306.01708; DARE: arXiv 2311.03099. PEFT merges a single adapter plainly, whatever it is told; so an empty one stands beside
the night's, of which only pruning is left to see: TIES is then magnitude pruning, and linear the plain merge.
"""

from peft.tuners.lora import LoraLayer

from sleepwake.domains import tensors
from sleepwake.domains.language import consolidation_settings
from sleepwake.domains.language.problems import ProblemWeight
from sleepwake.records import Facts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

PRUNED = ("ties", "dare_ties", "dare_linear", "magnitude_prune")


class Merge:
    """Adds the LoRA, as PEFT's `add_weighted_adapter` combines it, to the lasting weights, and gives it back its first state."""

    def __init__(self, chosen: consolidation_settings.Merge, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings = chosen

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Merge; reports how far the lasting weights moved."""
        chosen, learner = self.settings, mind.learner
        twin = learner.copy()  # PEFT leaves its merged adapter behind
        pruning = {"density": chosen.density} if chosen.how in PRUNED else {}
        with tensors.seeded(derive(seed, "merge"), learner.device):
            twin.model.add_adapter("empty", twin.model.peft_config["default"])
            for name, parameter in twin.model.named_parameters():
                if ".empty." in name:
                    parameter.data.zero_()
            twin.model.add_weighted_adapter(["default", "empty"], [chosen.weight, 1.0], "merged", combination_type=chosen.how, **pruning)
        mine, moved = dict(learner.model.named_modules()), 0.0
        for name, module in twin.model.named_modules():
            if isinstance(module, LoraLayer):
                change = module.get_delta_weight("merged")
                mine[name].get_base_layer().weight.data += change
                moved += float(change.square().sum())
        learner.reset_fast(derive(seed, "reset"))
        return {"how": chosen.how, "moved": round(moved**0.5, 6)}
