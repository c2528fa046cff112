"""Soft prompts: one PEFT adapter a dreamed class, in front of a frozen text encoder."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, PromptTuningConfig, TaskType, get_peft_model, set_peft_model_state_dict
from peft.utils import load_peft_weights
from torch import Tensor, nn

from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.descent import adam, descend
from sleepwake.domains.vision.diffusion import StrokeDiffusion
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.strokes import END, SLOTS
from sleepwake.records import Facts
from sleepwake.seeds import seed as seed_at


class SoftPrompts:
    """Vectors that stand where a caption's words would, by name; the rest of the caption is its end."""

    def __init__(self, generator: StrokeDiffusion) -> None:
        self.generator = generator
        self.model: PeftModel | None = None
        """None until there is a prompt."""

    @property
    def names(self) -> list[str]:
        """Names of the prompts, oldest first."""
        return [] if self.model is None else list(self.model.peft_config)

    def vectors(self, name: str) -> nn.Parameter:
        """A prompt's own parameter (SLOTS, E): the only one that learns."""
        assert self.model is not None
        weight: nn.Parameter = self.model.prompt_encoder[name].embedding.weight
        return weight

    def add(self, name: str, seed: int) -> None:
        """A new prompt: the vectors of random words."""
        prompts = PromptTuningConfig(
            task_type=TaskType.FEATURE_EXTRACTION, num_virtual_tokens=len(SLOTS), prompt_tuning_init="SAMPLE_VOCAB"
        )
        self._adopt(name, prompts, seed)

    def _adopt(self, name: str, config: PeftConfig, seed: int) -> None:
        with seeded(seed, self.generator.space.device):
            if self.model is None:
                self.model = get_peft_model(self.generator.encoder, config, adapter_name=name)
            else:
                self.model.add_adapter(name, config)

    def copy(self, name: str, to: str, seed: int) -> None:
        """Give a prompt, new or not, the vectors of another."""
        if to not in self.names:
            self.add(to, seed)
        with torch.no_grad():
            self.vectors(to).copy_(self.vectors(name))

    def conditions(self, names: Sequence[str]) -> Tensor:
        """What the UNet is conditioned on (P, SLOTS + 1, E); PEFT has no mixed batches of prompts, so one call a prompt."""
        assert self.model is not None
        encoded = []
        with torch.device(self.generator.space.device):  # PEFT makes index tensors on the default device
            end_11 = torch.tensor([[END]])
            for name in names:
                self.model.set_adapter(name)
                encoded.append(self.model(input_ids=end_11).last_hidden_state)
        return torch.cat(encoded)

    def tune(self, names: Sequence[str], targets_PK: Tensor, net: Classifier, seed: int) -> Facts:
        """Optimise prompts, all side by side, so that the classifier gives each one's images the target response.

        Cross-entropy of the classifier's answer on images drawn from fresh noise, through every sampler step, with a fresh Adam. Generator
        and classifier ask for no gradient.

        Args:
            names: prompts, changed in place.
            targets_PK: a response over all classes of the stream, a row for each prompt.
            net: the classifier; a copy of it is used.
            seed: of all noise.
        """
        settings = self.generator.settings
        guide, each = net.copy().requires_grad_(False), settings.prompt_batch
        targets_NR = targets_PK[:, guide.classes].repeat_interleave(each, dim=0)

        def loss_at(step: int) -> Tensor:
            conditions_NLE = self.conditions(names).repeat_interleave(each, dim=0)
            noise_N1HW = self.generator.noise(len(conditions_NLE), seed_at(seed, step))
            logits_NR = guide(self.generator.denoise(noise_N1HW, conditions_NLE))
            loss: Tensor = -(targets_NR * logits_NR.log_softmax(dim=1)).sum(dim=1).mean()
            return loss

        facts = descend(adam([self.vectors(name) for name in names], settings.prompt_lr), loss_at, settings.prompt_steps)
        return {**facts, "prompts": len(names), "samples": settings.prompt_steps * each * len(names)}

    def save(self, folder: Path) -> None:
        """Each prompt in a folder of its own, as PEFT writes it."""
        if self.model is not None:
            self.model.save_pretrained(str(folder), selected_adapters=self.names, save_embedding_layers=False)

    def load(self, folder: Path, names: Sequence[str]) -> None:
        """Copy what `save` wrote; PEFT's own loading refuses a prompt that is to learn on."""
        for name in names:
            config = PeftConfig.from_pretrained(str(folder / name))
            config.inference_mode = False
            self._adopt(name, config, seed=0)
            set_peft_model_state_dict(self.model, load_peft_weights(str(folder / name), device="cpu"), adapter_name=name)
