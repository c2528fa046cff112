"""GRPO that spends its passes on attempts that tell something. Letters: B attempts, C tokens of completions, T with their prompts."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer
from trl.trainer.utils import use_adapter

IDLE = 1e-3
"""An advantage below this is a rounding error: it is in units of the group's standard deviation."""


class Filtered(GRPOTrainer):  # type: ignore[misc]
    """Leaves attempts without an advantage out of the passes: all those of a group that earned the same.

    Most do, on a level that was just reached and on easy ones. (DAPO, arXiv 2503.14476, samples others in their place.) The loss that TRL
    takes by default divides by the tokens of all attempts, so that the others move the policy as they would among all; only their part of
    the divergence is missing. What the policy and the reference said is asked for those that are left, once they are known.
    """

    _blind = False
    """While it isn't known yet which attempts are idle, what the policy said of them can wait (but for vLLM, whose correction needs it)."""

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._blind = later = not self.use_vllm
        scored: dict[str, Any] = super()._generate_and_score_completions(inputs)
        self._blind = False
        idle_B = scored["advantages"].abs() < IDLE
        parts = self.args.steps_per_generation
        kept = max(1, -(-int((~idle_B).sum()) // parts)) * parts  # as many in each part; idle ones fill up
        places = idle_B.int().argsort(stable=True)[:kept]
        rows = {name: value[places] if isinstance(value, Tensor) and value.ndim else value for name, value in scored.items()}
        if later and "old_per_token_logps" in rows:
            rows["old_per_token_logps"] = self._said(self.model, rows)
        if later and "ref_per_token_logps" in rows:
            adapter = use_adapter(self.accelerator.unwrap_model(self.model), "ref") if self.ref_model is None else nullcontext()
            with adapter:
                rows["ref_per_token_logps"] = self._said(self.ref_model or self.model, rows)
        return rows

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, *others: Any, **named: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if self._blind:
            return input_ids.new_zeros((len(input_ids), logits_to_keep), dtype=torch.float32), None, None
        told: tuple[Tensor, Tensor | None, Tensor | None] = super()._get_per_token_logps_and_entropies(
            model, input_ids, attention_mask, logits_to_keep, *others, **named
        )
        return told

    @torch.no_grad()
    def _said(self, model: Any, rows: dict[str, Any]) -> Tensor:
        """Log-probabilities (B, C) of the completions' tokens."""
        tokens_BT, mask_BT = (torch.cat([rows[f"prompt_{name}"], rows[f"completion_{name}"]], dim=1) for name in ("ids", "mask"))
        size = self.args.per_device_train_batch_size
        return self._get_per_token_logps_and_entropies(model, tokens_BT, mask_BT, rows["completion_ids"].shape[1], batch_size=size)[0]
