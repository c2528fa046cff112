"""Sampling with a key-value cache. Letters: B prompts, K continuations a prompt, R = B * K rows, T tokens, V vocabulary.

Prompts of equal length go together, so that no padding and no mask is needed, and a prompt is read once for all of its
continuations; keys and values are written into room that was made beforehand. Transformers' `generate` reads it K times and copies
all keys at every token, which for these sizes is most of the time; and here draws come from a generator of our own.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from sleepwake.domains.language.tokenizer import EOS, PAD, decode
from sleepwake.domains.tensors import generator
from sleepwake.seeds import seed as derive


class Room(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one layer, in room for all tokens to come; the prompt's are repeated for each continuation.

    Args:
        copies: continuations a prompt.
        most: tokens, prompt included.
    """

    def __init__(self, copies: int, most: int) -> None:
        super().__init__()
        self.copies, self.most, self.used = copies, most, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make the room."""
        prompts, heads, _, size = key_states.shape
        self.keys = key_states.new_empty((prompts * self.copies, heads, self.most, size))
        self.values = value_states.new_empty((prompts * self.copies, heads, self.most, size))
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write the new tokens' keys and values; gives back all so far (for the prompt itself, one copy)."""
        start, self.used = self.used, self.used + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys[:, :, : self.used] = key_states.repeat_interleave(self.copies, 0)
            self.values[:, :, : self.used] = value_states.repeat_interleave(self.copies, 0)
            return key_states, value_states
        self.keys[:, :, start : self.used] = key_states
        self.values[:, :, start : self.used] = value_states
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what is attended to."""
        return self.used + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens so far."""
        return self.used

    def get_max_length(self) -> int:
        """Tokens that there is room for."""
        return self.most

    get_max_cache_shape = get_max_length  # its name in transformers before 5.2x


@torch.inference_mode()
def continuations(model: nn.Module, prompt_BT: Tensor, temperatures_K: Sequence[float], limit: int, stop: int, seed: int) -> Tensor:
    """Continue prompts of equal length until each row has stopped.

    Args:
        model: a causal language model of transformers.
        prompt_BT: tokens without padding.
        temperatures_K: one continuation each; 0 is greedy.
        limit: most tokens.
        stop: the token after which a row is padded.
        seed: of the draws.

    Returns:
        tokens_BKT on the CPU, padded after each row's stop.
    """
    device = prompt_BT.device
    draws, copies = generator(seed, device), len(temperatures_K)
    temperature_R1 = torch.tensor(temperatures_K, device=device).repeat(len(prompt_BT))[:, None]
    greedy_R, all_greedy = temperature_R1[:, 0] == 0, not any(temperatures_K)
    config: Any = model.config
    cache = Cache(layers=[Room(copies, prompt_BT.shape[1] + limit) for _ in range(config.num_hidden_layers)])
    logits_BV = model(input_ids=prompt_BT, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
    logits_RV = logits_BV.repeat_interleave(copies, 0)
    alive_R = torch.ones(len(logits_RV), dtype=torch.bool, device=device)
    tokens = []
    for step in range(limit):
        token_R = logits_RV.argmax(-1)
        if not all_greedy:
            chances_RV = (logits_RV / temperature_R1.clamp(min=1e-6)).softmax(-1)
            chances_RV[greedy_R] = 1.0  # drawn and thrown away, so that a row's draw depends only on its place
            token_R = torch.where(greedy_R, token_R, torch.multinomial(chances_RV, 1, generator=draws)[:, 0])
        token_R = torch.where(alive_R, token_R, PAD)
        tokens.append(token_R)
        alive_R = alive_R & (token_R != stop)
        if step + 1 == limit or not alive_R.any():
            break
        logits_RV = model(input_ids=token_R[:, None], past_key_values=cache, use_cache=True).logits[:, -1]
    return torch.stack(tokens, 1).view(len(prompt_BT), copies, -1).cpu()


def complete(
    model: nn.Module, prompts: Sequence[list[int]], temperatures: Sequence[float], seed: int, extra: int = 4, stop: int = EOS
) -> list[list[str]]:
    """Text continuations of prompts of any lengths.

    Args:
        model: a causal language model of transformers.
        prompts: tokens, without padding.
        temperatures: one continuation of each prompt for each; 0 is greedy.
        seed: of the draws.
        extra: tokens allowed beyond a prompt's length.
        stop: the token that ends a continuation.

    Returns:
        For each prompt its continuations, in the order of the temperatures.
    """
    device = next(model.parameters()).device
    by_length: dict[int, list[int]] = {}
    for at, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(at)
    answers: list[list[str]] = [[] for _ in prompts]
    was_training = model.training
    model.eval()
    for length, places in sorted(by_length.items()):
        prompt_BT = torch.tensor([prompts[at] for at in places], device=device)
        tokens_BKT = continuations(model, prompt_BT, temperatures, length + extra, stop, derive(seed, length))
        for at, rows in zip(places, tokens_BKT.tolist(), strict=True):
            answers[at] = [decode(row) for row in rows]
    model.train(was_training)
    return answers
