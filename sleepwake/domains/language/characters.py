"""A character-level SmolLM3 without positional encoding, from scratch.

Without positional encoding a causal transformer extrapolates to longer strings better than with any of the usual
encodings (Kazemnejad et al. 2023, arXiv 2305.19466); a night lives on that.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import SmolLM3Config, SmolLM3ForCausalLM

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.generation import complete
from sleepwake.domains.language.learners import TextLearner, part, with_lora
from sleepwake.domains.language.problems import Problem
from sleepwake.domains.language.shape import Shape
from sleepwake.domains.language.tokenizer import BOS, EOS, PAD, SIGN, VOCABULARY, CharacterCodec
from sleepwake.seeds import seed as derive


def network(chosen: settings.Characters, seed: int, device: torch.device) -> SmolLM3ForCausalLM:
    """A fresh model with random weights."""
    config = SmolLM3Config(
        vocab_size=VOCABULARY,
        hidden_size=chosen.width,
        intermediate_size=chosen.expansion * chosen.width,
        num_hidden_layers=chosen.layers,
        num_attention_heads=chosen.heads,
        num_key_value_heads=chosen.heads,
        no_rope_layers=[int(chosen.rotary)] * chosen.layers,  # 1 is a layer with it
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    with tensors.seeded(seed, device):
        return SmolLM3ForCausalLM(config)


class Characters(TextLearner):
    """Learns and writes digits; may become larger by night."""

    codec = CharacterCodec()

    def _build(self, chosen: settings.Characters) -> None:
        """Fresh weights of a shape."""
        self.settings = chosen
        self.lasting: nn.Module = network(chosen, derive(self.seed, "weights"), self.device)
        self.model: nn.Module = self.lasting
        if chosen.fast == "lora":
            self.model = with_lora(self.lasting, chosen.rank, derive(self.seed, "adapter"), self.device)
        self.model.eval()

    @property
    def shape(self) -> dict[str, int]:
        """Width, layers, heads and expansion; a night may enlarge them."""
        return {name: getattr(self.settings, name) for name in Shape.model_fields}

    def grow(self, shape: Mapping[str, int], start: str, seed: int) -> dict[str, Tensor]:
        """Become larger.

        Args:
            shape: the new one.
            start: "fresh": random weights; "copy": the old weights come along, and what is new on top and beside begins without effect, so
                that answers are what they were (Net2Net, arXiv 1511.05641).
            seed: of new weights.

        Returns:
            the lasting weights that came along, by name: what `train_only` leaves out and `put_back` puts back.
        """
        old = self.lasting_state()
        before = self.settings
        self._build(before.model_copy(update=dict(shape)))
        fresh = network(self.settings, seed, self.device).state_dict()
        if start == "copy":
            for layer in range(self.settings.layers):
                fresh[f"model.layers.{layer}.mlp.down_proj.weight"].zero_()  # what new units add to the stream
                fresh[f"model.layers.{layer}.self_attn.o_proj.weight"].zero_()
            for name, weight in old.items():
                fresh[name][part(weight)] = weight
        self._set_lasting(fresh)
        return old if start == "copy" else {}

    def _set_lasting(self, state: Mapping[str, Tensor]) -> None:
        """Copy lasting weights, named as the stock model names them; an adapter stays as it is."""
        own = self.lasting.state_dict()
        self.lasting.load_state_dict(
            {key: value if "lora_" in key else state[key.replace(".base_layer", "")] for key, value in own.items()}
        )

    def take(self, other: Self) -> None:
        """Copy another learner's weights and what it has opened; what a trainer added to it is left behind."""
        if other.shape != self.shape:
            self._build(other.settings)
        state = other.model.state_dict()
        self.model.load_state_dict({key: state[key] for key in self.model.state_dict()})
        self._open_as(other._opened())

    def attempt(self, problems: Sequence[Problem], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        """Answers of at most the prompt's length and three characters more."""
        prompts = [self.codec.encode(self.prompt(problem)) for problem in problems]
        return complete(self.model, prompts, temperatures, seed)

    def write(self, family: str, n: int, limit: int, seed: int) -> list[str]:
        """Problems up to the sign; one without it ends in a question mark."""
        prompt = self.codec.encode(self.opening(family))
        (written,) = complete(self.model, [prompt], (1.0,) * n, seed, extra=limit + 1 - len(prompt), stop=SIGN)
        return [text[:-1] if text.endswith("=") else text + "?" for text in written]

    def lasting_state(self) -> dict[str, Tensor]:
        """The lasting weights under the stock model's names."""
        return {key.replace(".base_layer", ""): value for key, value in self.lasting.state_dict().items() if "lora_" not in key}

    def save(self, folder: Path) -> None:
        """A folder that `AutoModelForCausalLM.from_pretrained` can read, with the adapter beside it."""
        self.lasting.config.save_pretrained(folder)  # type: ignore[union-attr, operator]
        tensors.save_tensors(self.lasting_state(), folder / "model.safetensors")
        if self.settings.fast == "lora":
            tensors.save_tensors(get_peft_model_state_dict(self.model), folder / "adapter_model.safetensors")
        tensors.save_json({**self._opened(), "shape": self.shape}, folder / "learner.json")

    def load(self, folder: Path) -> None:
        """Copy weights, adapter and the families opened so far; become as large as what was saved."""
        saved = tensors.load_json(folder / "learner.json")
        if saved.get("shape", self.shape) != self.shape:
            self._build(self.settings.model_copy(update=saved["shape"]))
        self._set_lasting(tensors.load_tensors(folder / "model.safetensors", self.device))
        if self.settings.fast == "lora":
            set_peft_model_state_dict(self.model, tensors.load_tensors(folder / "adapter_model.safetensors", self.device))
        self._open_as(saved)
