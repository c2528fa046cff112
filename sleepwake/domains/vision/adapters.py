"""PEFT adapters on a frozen generator, one a class: soft prompts, learned words, or low-rank changes of the UNet. They alone learn."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    PromptTuningConfig,
    TaskType,
    TrainableTokensConfig,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.utils import load_peft_weights
from torch import Tensor, nn

from sleepwake.domains.tensors import generator, seeded, tensor_bytes
from sleepwake.domains.vision.dreamer_settings import Adapter, LoraAdapter, PromptAdapter, TokenAdapter
from sleepwake.domains.vision.frozen import FrozenGenerator
from sleepwake.errors import DataError
from sleepwake.seeds import seed as seed_at

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut", "time_emb_proj")
"""Names of a UNet's layers, as diffusers has them."""


class Adapters:
    """What the three kinds have in common: names, saving in PEFT's own format, and bytes."""

    def __init__(self, generator: FrozenGenerator) -> None:
        self.generator = generator
        self.model: PeftModel | None = None
        """None until there is an adapter."""

    @property
    def names(self) -> list[str]:
        """Names of the adapters, oldest first."""
        return [] if self.model is None else list(self.model.peft_config)

    def add(self, name: str, seed: int) -> None:
        """A new adapter, which has learned nothing."""
        raise NotImplementedError

    def groups(self, names: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """Places in `names` that can share a pass through the UNet, with their conditions (P, L, E); the pass must come before the next."""
        raise NotImplementedError

    def weights(self, name: str) -> list[nn.Parameter]:
        """An adapter's own parameters, a name's in the same order always."""
        assert self.model is not None
        found = [weight for key, weight in self.model.named_parameters() if f".{name}." in f".{key}."]
        assert found, name
        return found

    def adopt(self, base: nn.Module, name: str, config: PeftConfig, seed: int) -> None:
        """Put an adapter beside the others; all stay ready to learn, whichever is active."""
        with seeded(seed, self.generator.device):
            if self.model is None:
                self.model = get_peft_model(base, config, adapter_name=name)
            else:
                self.model.add_adapter(name, config)

    def base(self) -> nn.Module:
        """The part of the generator that the adapters are on."""
        return self.generator.encoder  # type: ignore[no-any-return]

    def renew(self, name: str, seed: int) -> None:
        """An adapter, there before or not, that has learned nothing."""
        if name not in self.names:
            self.add(name, seed)
            return
        self.add("fresh", seed)
        self.copy("fresh", name, seed)
        self.drop("fresh")

    def copy(self, name: str, to: str, seed: int) -> None:
        """Give an adapter, new or not, the weights of another."""
        if to not in self.names:
            self.add(to, seed)
        with torch.no_grad():
            for mine, theirs in zip(self.weights(to), self.weights(name), strict=True):
                mine.copy_(theirs)

    def drop(self, name: str) -> None:
        """Forget an adapter, which isn't the only one."""
        assert self.model is not None
        self.model.set_adapter(next(other for other in self.names if other != name))
        self.model.delete_adapter(name)

    def state(self, name: str) -> dict[str, Tensor]:
        """An adapter's tensors, as PEFT writes them."""
        assert self.model is not None
        return dict(get_peft_model_state_dict(self.model, adapter_name=name, save_embedding_layers=False))

    def check(self, names: Sequence[str], rate: float) -> None:
        """See that some adapters that have learned are still numbers.

        Raises:
            DataError: one isn't.
        """
        for name in names:
            if not all(bool(weight.isfinite().all()) for weight in self.weights(name)):
                raise DataError(f"dreamer.prompt_lr: {name} learned what is not a number at {rate}", f"dreamer.prompt_lr = {rate / 10:g}")

    @property
    def bytes(self) -> int:
        """Of all adapters."""
        return sum(tensor_bytes(self.state(name)) for name in self.names)

    def save(self, folder: Path) -> None:
        """Each adapter in a folder of its own, which plain PEFT reads."""
        if self.model is not None:
            self.model.save_pretrained(str(folder), selected_adapters=self.names, save_embedding_layers=False)
            (folder / "README.md").unlink(missing_ok=True)  # an empty model card
            for file in folder.glob("*/adapter_config.json"):  # PEFT writes sets as they come, in another order in every process
                told = json.loads(file.read_text())
                sets = {key: sorted(told[key]) for key in ("target_modules", "exclude_modules") if isinstance(told.get(key), list)}
                file.write_text(json.dumps({**told, **sets}, indent=2, sort_keys=True))

    def load(self, folder: Path, names: Sequence[str]) -> None:
        """Copy what `save` wrote; PEFT's own loading refuses a prompt that is to learn on.

        Raises:
            DataError: an adapter holds what is not a number.
        """
        for name in names:
            config = PeftConfig.from_pretrained(str(folder / name))
            config.inference_mode = False
            if config.base_model_name_or_path:  # where the generator lay when this was written; that it is the same one is told by its hash
                config.base_model_name_or_path = self.base().__dict__.get("name_or_path")
            state = load_peft_weights(str(folder / name), device="cpu")
            if not all(bool(tensor.isfinite().all()) for tensor in state.values()):
                raise DataError(
                    f"the adapter in {folder / name} holds what is not a number", "begin the run again, with a smaller dreamer.prompt_lr"
                )
            self.adopt(self.base(), name, config, seed=0)
            set_peft_model_state_dict(self.model, state, adapter_name=name)


class Prompts(Adapters):
    """Vectors that stand before a caption without words (prompt tuning, Lester et al. 2021)."""

    def __init__(self, settings: PromptAdapter, generator: FrozenGenerator) -> None:
        super().__init__(generator)
        self.settings = settings

    def add(self, name: str, seed: int) -> None:
        """A new prompt: the vectors of random words."""
        config = PromptTuningConfig(
            task_type=TaskType.FEATURE_EXTRACTION, num_virtual_tokens=self.settings.vectors, prompt_tuning_init="SAMPLE_VOCAB"
        )
        self.adopt(self.base(), name, config, seed)

    def groups(self, names: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """All in one; PEFT has no mixed batches of prompts, so the encoder is asked once a prompt."""
        assert self.model is not None
        encoded = []
        with torch.device(self.generator.device):
            caption_1L = torch.tensor([self.generator.caption])
            for name in names:
                self.model.set_adapter(name)
                encoded.append(self.model(input_ids=caption_1L).last_hidden_state)
        yield list(range(len(names))), torch.cat(encoded)


class Tokens(Adapters):
    """New words of the encoder's vocabulary (textual inversion, Gal et al. 2023)."""

    def __init__(self, settings: TokenAdapter, generator: FrozenGenerator) -> None:
        super().__init__(generator)
        self.settings = settings
        self.first = generator.encoder.config.vocab_size
        generator.encoder.resize_token_embeddings(self.first + settings.room * settings.vectors, mean_resizing=False)
        generator.freeze()

    def add(self, name: str, seed: int) -> None:
        """New words, which mean at first what random words do."""
        taken = {index for config in ([] if self.model is None else self.model.peft_config.values()) for index in config.token_indices}
        free = [index for index in range(self.first, self.first + self.settings.room * self.settings.vectors) if index not in taken]
        if len(free) < self.settings.vectors:
            raise DataError(f"dreamer.adapter: no room for {name!r}", f"dreamer.adapter.room = {2 * self.settings.room}")
        config = TrainableTokensConfig(token_indices=free[: self.settings.vectors])
        self.adopt(self.base(), name, config, seed)
        chosen_V = torch.randint(self.first, (self.settings.vectors,), generator=generator(seed_at(seed, "words")), device="cpu")
        with torch.no_grad():
            (vectors_VE,) = self.weights(name)
            vectors_VE.copy_(self._embeddings()[chosen_V.to(vectors_VE.device)])

    def _embeddings(self) -> Tensor:
        layer: Any = self.generator.encoder.get_input_embeddings()
        weight: Tensor = getattr(layer, "base_layer", layer).weight
        return weight

    def groups(self, names: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """All in one: each word is its own adapter's."""
        assert self.model is not None
        self.model.base_model.set_adapter(list(names))
        words = [[*self.model.peft_config[name].token_indices, *self.generator.caption[-1:]] for name in names]
        opening = list(self.generator.caption[:-1])
        with torch.device(self.generator.device):  # PEFT makes index tensors on the default device
            encoded_PLE = self.generator.encoded(torch.tensor([[*opening, *each] for each in words]))
        yield list(range(len(names))), encoded_PLE


class Lora(Adapters):
    """Low-rank changes of the UNet (Hu et al. 2022), under a caption without words."""

    def __init__(self, settings: LoraAdapter, generator: FrozenGenerator) -> None:
        super().__init__(generator)
        self.settings = settings

    def base(self) -> nn.Module:
        """The UNet."""
        return self.generator.unet  # type: ignore[no-any-return]

    def add(self, name: str, seed: int) -> None:
        """A new adapter, which changes nothing yet."""
        layers = [*ATTENTION, *(CONVOLUTIONS if self.settings.layers == "all" else ())]
        config = LoraConfig(r=self.settings.rank, lora_alpha=self.settings.rank, target_modules=layers)
        self.adopt(self.base(), name, config, seed)

    def groups(self, names: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """Each by itself, since the UNet differs."""
        assert self.model is not None
        caption_1L = torch.tensor([self.generator.caption], device=self.generator.device)
        every = [weight for key, weight in self.model.named_parameters() if ".lora_" in key]
        for place, name in enumerate(names):
            self.model.set_adapter(name)
            for weight in every:  # PEFT lets the active adapter learn alone, and what was passed before would lose its gradient
                weight.requires_grad_(True)
            yield [place], self.generator.encoded(caption_1L)


def adapters_of(settings: Adapter, generator: FrozenGenerator) -> Adapters:
    """The kind of adapters that a recipe asks for."""
    if isinstance(settings, PromptAdapter):
        return Prompts(settings, generator)
    return Tokens(settings, generator) if isinstance(settings, TokenAdapter) else Lora(settings, generator)
