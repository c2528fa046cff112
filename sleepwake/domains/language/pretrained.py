"""A learner that begins with weights that others have trained: any causal language model of transformers.

With a LoRA the weights under it are frozen and shared by all learners of a process: a judge's snapshot or a teacher costs an adapter.
"""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import torch
import transformers
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from sleepwake.domains import tensors
from sleepwake.domains.language.learners import TextLearner, with_lora
from sleepwake.domains.language.problems import Problem
from sleepwake.domains.language.text_codec import TextCodec
from sleepwake.domains.language.text_settings import FolderModel, HubModel, Pretrained
from sleepwake.domains.paths import find
from sleepwake.domains.weights import fetched, fingerprint
from sleepwake.errors import DataError
from sleepwake.seeds import seed as derive

FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def located(chosen: Any, places: tuple[Path, ...]) -> Any:
    """A learner's settings with its model as a folder that exists; one of the hub is fetched, once.

    Raises:
        DataError: it is nowhere.
    """
    if not isinstance(chosen, Pretrained):
        return chosen
    named = chosen.model
    if isinstance(named, HubModel):
        instead = f'model = {{ type = "folder", folder = "{named.id.split("/")[-1]}" }} in [learner]'
        folder = fetched("learner.model", named.id, named.revision, FILES, instead)
    else:
        folder = find(named.folder, places)
    return chosen.model_copy(update={"model": FolderModel(type="folder", folder=str(folder))})


@lru_cache(maxsize=2)
def opened(folder: Path, device: torch.device, dtype: torch.dtype, template: Literal["chat", "plain"]) -> tuple[nn.Module, TextCodec]:
    """Model and codec of a folder, read once a process; what is trained is a copy.

    Raises:
        DataError: a part is missing, or is of another kind.
    """
    if not list(folder.glob("*.safetensors")):
        raise DataError(
            f"learner.model: {folder} holds no safetensors; pickled weights are never read",
            "write it again with save_pretrained(..., safe_serialization=True)",
        )
    transformers.utils.logging.disable_progress_bar()  # the program has its own
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        for name, value in config.to_dict().items():
            if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, int | float):
                setattr(config, name, 0.0)  # it would draw from a random state that nobody seeds
        with torch.device("cpu"):
            model = AutoModelForCausalLM.from_pretrained(
                folder, config=config, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise DataError(f"learner.model: {folder} can't be read: {error}", "fetch or write that folder again") from error
    return tensors.aligned(model).to(device).eval().requires_grad_(False), TextCodec(tokenizer, template)


class PretrainedLearner(TextLearner):
    """Learns by its LoRA, by day and by night, or by all weights; answers and writes through transformers' `generate`."""

    codec: TextCodec
    settings: Pretrained

    def _build(self, chosen: Pretrained) -> None:
        self.settings, self.chunk = chosen, chosen.chunk
        assert isinstance(chosen.model, FolderModel), "a domain locates its learner's model first"
        self.folder = Path(chosen.model.folder)
        half = self.device.type == "cuda" and chosen.fast == "lora"  # frozen weights lose nothing; trained ones would lose small steps
        base, self.codec = opened(self.folder, self.device, torch.bfloat16 if half else torch.float32, chosen.template)
        shared = {id(tensor): tensor for tensor in (*base.parameters(), *base.buffers())} if chosen.fast == "lora" else {}
        self.lasting = copy.deepcopy(base, shared)
        self.model = self.lasting
        if chosen.fast == "lora":
            self.model = with_lora(self.lasting, chosen.rank, derive(self.seed, "adapter"), self.device)
        self.model.eval()
        self.train_only(fast=True)

    def _own(self) -> dict[str, Tensor]:
        """What it has trained."""
        if self.settings.fast == "full":
            return dict(self.lasting.state_dict())
        return dict(get_peft_model_state_dict(self.model))

    def _take(self, state: Mapping[str, Tensor]) -> None:
        if self.settings.fast == "full":
            self.lasting.load_state_dict(state)
        else:
            set_peft_model_state_dict(self.model, dict(state))

    def take(self, other: Self) -> None:
        """Copy what another learner has trained, and what it has opened."""
        self._take(other._own())
        self._open_as(other._opened())

    def train_only(self, fast: bool, but: Mapping[str, Tensor] | None = None) -> None:
        """Let gradients reach the LoRA, or all weights: there is no difference between fast and lasting ones."""
        for name, parameter in self.lasting.named_parameters():
            parameter.requires_grad_(self.settings.fast == "full" or "lora_" in name)

    def reset_fast(self, seed: int) -> None:
        """Nothing: the LoRA is what lasts."""

    def attempt(self, problems: Sequence[Problem], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        """Answers of at most `longest` tokens, special ones left out."""
        return self.say([self.prompt(problem) for problem in problems], temperatures, seed)

    def say(self, prompts: Sequence[str], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        """Free text after each prompt, one for each temperature."""
        said = dict[float, list[list[str]]]()
        for temperature, copies in Counter(temperatures).items():
            tokens = self._generate(prompts, temperature, copies, self.settings.longest, derive(seed, str(temperature)), ())
            said[temperature] = [self.codec.tokenizer.batch_decode(rows, skip_special_tokens=True) for rows in tokens]
        taken = {temperature: [iter(answers) for answers in given] for temperature, given in said.items()}
        return [[next(taken[temperature][at]) for temperature in temperatures] for at in range(len(prompts))]

    def write(self, family: str, n: int, limit: int, seed: int) -> list[str]:
        """Problems up to where the template goes on after the user's words; one that gets nowhere is empty."""
        codec, problems = self.codec, list[str]()
        (rows,) = self._generate([self.opening(family)], 1.0, n, limit, seed, (codec.closing,))
        for text in codec.tokenizer.batch_decode(rows, skip_special_tokens=False):
            ends = [at for sign in (codec.closing, codec.tokenizer.eos_token) if (at := text.find(sign)) >= 0]
            problems.append(text[: min(ends)].strip() if ends and min(ends) <= limit else "")
        return problems

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[str], temperature: float, copies: int, limit: int, seed: int, stops: Sequence[str]
    ) -> list[list[list[int]]]:
        """For each prompt so many continuations in tokens; greedy ones are equal, and made once."""
        codec, found = self.codec, list[list[list[int]]]()
        was_training = self.model.training
        self.model.eval()
        each = copies if temperature else 1
        config = GenerationConfig(
            max_new_tokens=limit, pad_token_id=codec.pad, eos_token_id=codec.end, num_return_sequences=min(each, self.settings.together),
            do_sample=bool(temperature), repetition_penalty=1.0,
            **({"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}),
            stop_strings=[stop for stop in stops if stop != codec.tokenizer.eos_token] or None,
        )  # fmt: skip
        together = max(1, self.settings.together // each)
        for first in range(0, len(prompts), together):
            rows = list[list[int]]()
            with tensors.seeded(derive(seed, first), self.device):
                asked = codec.tokenizer(list(prompts[first : first + together]), padding=True, return_tensors="pt").to(self.device)
                n, start = asked["input_ids"].shape
                while len(rows) < n * each:  # more than once only where one prompt has more copies than fit
                    rows += self.model.generate(**asked, generation_config=config, tokenizer=codec.tokenizer)[:, start:].tolist()  # type: ignore[operator]
            rows = [row for row in rows for _ in range(copies if not temperature else 1)]
            found += [rows[at * copies : (at + 1) * copies] for at in range(n)]
        self.model.train(was_training)
        return found

    def save(self, folder: Path) -> None:
        """A folder that plain peft, or `AutoModelForCausalLM.from_pretrained`, can read."""
        if self.settings.fast == "lora":
            self.model.peft_config["default"].save_pretrained(str(folder))  # type: ignore[index, union-attr]
            file = folder / "adapter_config.json"
            config = tensors.load_json(file)  # PEFT writes sets as they come, in another order in every process
            tensors.save_json({key: sorted(value) if key == "target_modules" else value for key, value in config.items()}, file)
            tensors.save_tensors(self._own(), folder / "adapter_model.safetensors")
        else:
            self.lasting.config.save_pretrained(folder)  # type: ignore[union-attr, operator]
            self.codec.tokenizer.save_pretrained(folder)
            tensors.save_tensors(self._own(), folder / "model.safetensors")
        tensors.save_json({**self._opened(), "base": fingerprint(self.folder)}, folder / "learner.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote.

        Raises:
            DataError: the model that it was trained on is not the same any more.
        """
        saved = tensors.load_json(folder / "learner.json")
        if saved["base"] != fingerprint(self.folder):
            raise DataError(
                f"learner.model: {self.folder} is not what this run began with",
                "put the folder back as it was (of a hub id: name the revision that the run began with), or start anew",
            )
        name = "adapter_model" if self.settings.fast == "lora" else "model"
        self._take(tensors.load_tensors(folder / f"{name}.safetensors", self.device))
        self._open_as(saved)
