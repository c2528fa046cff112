"""The learner: a character-level SmolLM3 without positional encoding.

Without positional encoding a causal transformer extrapolates to longer strings better than with any of the usual
encodings (Kazemnejad et al. 2023, arXiv 2305.19466); a night lives on that.
"""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import SmolLM3Config, SmolLM3ForCausalLM

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.generation import complete
from sleepwake.domains.language.night_settings import Shape
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.domains.language.tokenizer import BOS, EOS, PAD, SIGN, VOCABULARY, encode
from sleepwake.domains.language.training import Loss, train
from sleepwake.records import Facts, Look, Task
from sleepwake.roles import Source
from sleepwake.seeds import seed as derive

SAMPLE = 256
"""Lines of the day on which it is measured what the day taught."""
REPLAY_STEPS = 16
"""Steps for which replay is drawn at once: long enough that writing it in batches pays."""


def network(chosen: settings.Learner, seed: int, device: torch.device) -> SmolLM3ForCausalLM:
    """A fresh model with random weights."""
    config = SmolLM3Config(
        vocab_size=VOCABULARY,
        hidden_size=chosen.width,
        intermediate_size=chosen.expansion * chosen.width,
        num_hidden_layers=chosen.layers,
        num_attention_heads=chosen.heads,
        num_key_value_heads=chosen.heads,
        no_rope_layers=[0] * chosen.layers,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    with tensors.seeded(seed, device):
        return SmolLM3ForCausalLM(config)


def with_lora(model: nn.Module, rank: int, seed: int, device: torch.device) -> nn.Module:
    """The model under a fresh LoRA on all its linear layers, which changes nothing yet."""
    adapter = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with tensors.seeded(seed, device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # PEFT reads transformers' old name
        under: nn.Module = get_peft_model(model, adapter)
    return under


class Characters:
    """Learns whole lines by day; attempts problems and writes new ones by night.

    Attributes:
        model: what answers; with `fast = "lora"` the lasting weights and the adapter together.
        lasting: the stock transformers model inside.
        known: names of the families opened so far, in order.
        families: all families of the stream; only what is syntax is used here.
    """

    def __init__(
        self, chosen: settings.Learner, wake: settings.Wake, families: Mapping[str, Family], seed: int, device: torch.device
    ) -> None:
        self.wake, self.families, self.seed = wake, families, seed
        self.device = device
        self.known: tuple[str, ...] = ()
        self._build(chosen)

    def _build(self, chosen: settings.Learner) -> None:
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

    def grow(self, shape: Mapping[str, int], start: str, seed: int) -> frozenset[str]:
        """Become larger.

        Args:
            shape: the new one.
            start: "fresh": random weights; "copy": the old blocks stay as they are, the new ones on top begin without effect, and
                answers are what they were.
            seed: of new weights.

        Returns:
            names of the lasting weights that came along and are to stay as they are.
        """
        old = self.lasting_state()
        before = self.settings
        self._build(before.model_copy(update=dict(shape)))
        fresh = network(self.settings, seed, self.device).state_dict()
        if start == "copy":
            for layer in range(before.layers, self.settings.layers):
                for name in ("self_attn.o_proj", "mlp.down_proj"):  # what a block adds to the stream
                    fresh[f"model.layers.{layer}.{name}.weight"].zero_()
            fresh |= old
        self._set_lasting(fresh)
        return frozenset(old) if start == "copy" else frozenset()

    def _set_lasting(self, state: Mapping[str, Tensor]) -> None:
        """Copy lasting weights, named as the stock model names them; an adapter stays as it is."""
        own = self.lasting.state_dict()
        self.lasting.load_state_dict(
            {key: value if "lora_" in key else state[key.replace(".base_layer", "")] for key, value in own.items()}
        )

    def copy(self) -> Self:
        """A learner of its own with the same state, for judges and teachers."""
        twin = type(self)(self.settings, self.wake, self.families, self.seed, self.device)
        twin.take(self)
        return twin

    def take(self, other: Self) -> None:
        """Copy another learner's weights and what it has opened; what a trainer added to it is left behind."""
        if other.shape != self.shape:
            self._build(other.settings)
        state = other.model.state_dict()
        self.model.load_state_dict({key: state[key] for key in self.model.state_dict()})
        self.known = other.known

    def open(self, task: Task, seed: int, examples: object = None) -> None:
        """Take note of the task's families; the alphabet has a prefix for each already."""
        self.known += tuple(name for name in task.parts if name not in self.known)

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int, look: Look | None = None) -> Facts:
        """Train the lasting weights on the day's lines and replayed ones: L = (1/N) current + (1 - 1/N) replay on day
        N.
        """
        wake, lines = self.wake, examples.lines
        replayed: dict[int, tuple[Line, ...]] = {}
        old = round(wake.batch * (1 - 1 / (task.index + 1))) if replay else 0
        order = torch.randint(
            len(lines), (wake.steps, wake.batch - old), generator=tensors.generator(derive(seed, "order")), device="cpu"
        ).tolist()

        def draw(step: int) -> Sequence[Line]:
            chosen = [lines[at] for at in order[step]]
            if not replay or not old:
                return chosen
            block, place = divmod(step, REPLAY_STEPS)
            if block not in replayed:
                replayed.clear()
                drawn = replay.draw(REPLAY_STEPS * old, derive(seed, "replay", block))
                assert isinstance(drawn, Batch)
                replayed[block] = drawn.lines
            return [*chosen, *replayed[block][place * old : (place + 1) * old]]

        sample = lines[:: max(1, len(lines) // SAMPLE)]
        before = self.right(sample)
        self.train_only(fast=False)
        facts = self.practise(draw, wake.steps, wake.rate, min(100, wake.steps // 5), wake.problem_weight, look=look)
        self.train_only(fast=True)
        learned = sum(now and not was for now, was in zip(self.right(sample), before, strict=True)) / len(sample)
        return {**facts, "replayed": old * wake.steps, "learned": round(learned, 6)}

    def practise(
        self,
        draw: Callable[[int], Sequence[Line]],
        steps: int,
        rate: float,
        warmup: int,
        problem_weight: float,
        loss: Loss | None = None,
        look: Look | None = None,
    ) -> Facts:
        """Train what `train_only` named; see `training.train`."""
        return train(self.model, draw, self.text, steps, rate, warmup, problem_weight, loss, look)

    def text(self, line: Line) -> str:
        """How a line is written."""
        return f"{self.prompt(line.problem)}{line.answer}"

    def prompt(self, problem: Problem) -> str:
        """How a problem is written."""
        return f"{self.families[problem.family].prefix}{problem.text}="

    def attempt(self, problems: Sequence[Problem], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        """Answers to each problem, one for each temperature (0: greedy), malformed ones as they are."""
        prompts = [encode(self.prompt(problem)) for problem in problems]
        return complete(self.model, prompts, temperatures, seed)

    def answer(self, problems: Sequence[Problem]) -> list[str]:
        """The greedy answer to each problem; equal problems are asked once."""
        asked = list(dict.fromkeys(problems))
        answers = dict(zip(asked, (greedy for (greedy,) in self.attempt(asked, (0.0,), 0)), strict=True))
        return [answers[problem] for problem in problems]

    def right(self, lines: Sequence[Line]) -> list[bool]:
        """Whether the greedy answer says what the line's does."""
        answers = self.answer([line.problem for line in lines])
        return [self.same(line.problem.family, line.answer or "", answer) for line, answer in zip(lines, answers, strict=True)]

    def same(self, family: str, one: str, other: str) -> bool:
        """Whether two answers say the same; malformed ones only where they are equal."""
        of = self.families[family]
        return one == other or (of.answer_formed(one) and of.answer_formed(other) and of.value(one) == of.value(other))

    def write(self, family: str, n: int, limit: int, seed: int) -> list[str]:
        """Problems that the model writes after a family's prefix, malformed ones included.

        Args:
            family: whose prefix.
            n: how many.
            limit: most characters; what hasn't ended by then is malformed.
            seed: of the draws.
        """
        prompt = encode(self.families[family].prefix)
        (written,) = complete(self.model, [prompt], (1.0,) * n, seed, extra=limit + 1 - len(prompt), stop=SIGN)
        return [text[:-1] if text.endswith("=") else text + "?" for text in written]

    def train_only(self, fast: bool, but: Collection[str] = ()) -> None:
        """Let gradients reach the fast weights or the lasting ones, but for some by name; where all weights are fast, there is no
        difference between the two.
        """
        for name, parameter in self.lasting.named_parameters():
            chosen = self.settings.fast == "full" or ("lora_" in name) == fast
            parameter.requires_grad_(chosen and name.replace(".base_layer", "") not in but)

    def reset_fast(self, seed: int) -> None:
        """Give the LoRA back its first state, in which it changes nothing."""
        with tensors.seeded(seed, self.device):
            for module in self.model.modules():
                if isinstance(module, LoraLayer):
                    module.reset_lora_parameters("default", init_lora_weights=True)

    def lasting_state(self) -> dict[str, Tensor]:
        """The lasting weights under the stock model's names."""
        return {key.replace(".base_layer", ""): value for key, value in self.lasting.state_dict().items() if "lora_" not in key}

    def save(self, folder: Path) -> None:
        """A folder that `AutoModelForCausalLM.from_pretrained` can read, with the adapter beside it."""
        self.lasting.config.save_pretrained(folder)  # type: ignore[union-attr, operator]
        tensors.save_tensors(self.lasting_state(), folder / "model.safetensors")
        if self.settings.fast == "lora":
            tensors.save_tensors(get_peft_model_state_dict(self.model), folder / "adapter_model.safetensors")
        tensors.save_json({"known": self.known, "shape": self.shape}, folder / "learner.json")

    def load(self, folder: Path) -> None:
        """Copy weights, adapter and the families opened so far; become as large as what was saved."""
        saved = tensors.load_json(folder / "learner.json")
        if saved.get("shape", self.shape) != self.shape:
            self._build(self.settings.model_copy(update=saved["shape"]))
        self._set_lasting(tensors.load_tensors(folder / "model.safetensors", self.device))
        if self.settings.fast == "lora":
            set_peft_model_state_dict(self.model, tensors.load_tensors(folder / "adapter_model.safetensors", self.device))
        self.known = tuple(saved["known"])

    def metrics(self) -> Facts:
        """Bytes of all weights and of the adapter, number of weights, families opened."""
        state = self.model.state_dict()
        adapter = sum(value.nbytes for key, value in state.items() if "lora_" in key)
        return {
            "bytes": sum(value.nbytes for value in state.values()),
            "memory": {"adapters": adapter},
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "known": list(self.known),
        }
