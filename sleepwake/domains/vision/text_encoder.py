"""CLIP's text encoder, made to take embeddings, which is what soft prompts are."""

from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPooling


class SoftPromptClip(CLIPTextModel):  # type: ignore[misc]  # transformers is not typed
    """`CLIPTextModel` with `inputs_embeds`; the same hidden states, to the bit, for `input_ids`.

    CLIP reads ids alone, so PEFT, which puts a prompt's vectors before the ids' embeddings, can't be used with it as it is.
    """

    is_gradient_checkpointing = False  # PEFT reads this deprecated name, and the parent's answer comes with a warning

    @classmethod
    def is_custom_code(cls) -> bool:
        """False: otherwise transformers 5 leaves attention and perceptron layers of a subclass with another initialisation."""
        return False

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **unused: Any,
    ) -> BaseModelOutputWithPooling:
        """Hidden states (N, L, E) of ids (N, L) or of embeddings (N, L, E); the pooled output is the last one that isn't masked."""
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        hidden_NLE = self.embeddings(inputs_embeds=inputs_embeds, position_ids=position_ids)
        if attention_mask is not None:
            attention_mask = attention_mask.long()  # PEFT prolongs the mask with floats
        mask = create_causal_mask(config=self.config, inputs_embeds=hidden_NLE, attention_mask=attention_mask, past_key_values=None)
        hidden_NLE = self.encoder(inputs_embeds=hidden_NLE, attention_mask=mask, is_causal=True).last_hidden_state
        hidden_NLE = self.final_layer_norm(hidden_NLE)
        count, length, _ = hidden_NLE.shape
        rows_N = torch.arange(count, device=hidden_NLE.device)
        last_N = torch.full_like(rows_N, length - 1) if attention_mask is None else attention_mask.sum(dim=1) - 1
        return BaseModelOutputWithPooling(last_hidden_state=hidden_NLE, pooler_output=hidden_NLE[rows_N, last_N])
