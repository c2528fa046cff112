"""What learners of the language domain have in common: they learn lines by day, and attempt and write problems by night."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.codec import Codec, Row
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.problems import Batch, Line, Problem, ProblemWeight
from sleepwake.domains.language.training import CHUNK, Loss, train
from sleepwake.records import Facts, Look, Task
from sleepwake.roles import Source
from sleepwake.seeds import seed as derive

SAMPLE = 256
"""Lines of the day on which it is measured what the day taught."""
REPLAY_STEPS = 16
"""Steps for which replay is drawn at once: long enough that writing it in batches pays."""


def with_lora(model: nn.Module, rank: int, seed: int, device: torch.device) -> nn.Module:
    """The model under a fresh LoRA on all its linear layers, which changes nothing yet."""
    adapter = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with tensors.seeded(seed, device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # PEFT reads transformers' old name
        under: nn.Module = get_peft_model(model, adapter)
    return under


class TextLearner:
    """Learns whole lines by day; attempts problems and writes new ones by night. Its leaves know the model.

    Attributes:
        settings: what the recipe says of the learner.
        chunk: lines a forward pass.
        codec: how lines are written in tokens.
        model: what answers; with `fast = "lora"` the lasting weights and the adapter together.
        lasting: the stock transformers model inside.
        known: names of the families opened so far, in order.
        contexts: by family what stands before its problems: a day that is not in the weights yet, or notes.
        leads: by family what stands before problems that the learner writes, where that is something else.
        notebook: all notes of the last night, with what they are tried on.
        families: all families of the stream; only what is syntax is used here.
    """

    settings: Any
    chunk: int = CHUNK
    codec: Codec
    model: nn.Module
    lasting: nn.Module

    def __init__(self, chosen: Any, wake: settings.Wake, families: Mapping[str, Family], seed: int, device: torch.device) -> None:
        self.wake, self.families, self.seed = wake, families, seed
        self.device = device
        self.known: tuple[str, ...] = ()
        self.contexts: dict[str, str] = {}
        self.leads: dict[str, str] = {}
        self.notebook: dict[str, Any] = {}
        self._held: list[RemovableHandle] = []
        self._build(chosen)

    def _build(self, chosen: Any) -> None:
        """The weights that a learner begins with."""
        raise NotImplementedError

    def reseed(self, seed: int) -> None:
        """Begin anew from another seed."""
        self.seed = seed
        self._build(self.settings)

    def copy(self) -> Self:
        """A learner of its own with the same state, for judges and teachers."""
        twin = type(self)(self.settings, self.wake, self.families, self.seed, self.device)
        twin.take(self)
        return twin

    def take(self, other: Self) -> None:
        """Copy another learner's weights and what it has opened; what a trainer added to it is left behind."""
        raise NotImplementedError

    def open(self, task: Task, seed: int, examples: object = None) -> None:
        """Take note of the task's families; the alphabet has a prefix for each already."""
        self.known += tuple(name for name in task.parts if name not in self.known)

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int, look: Look | None = None) -> Facts:
        """Train the lasting weights on the day's lines and replayed ones: L = (1/N) current + (1 - 1/N) replay on day N. A day that is
        learned in context trains nothing.
        """
        sample = examples.lines[:: max(1, len(examples.lines) // SAMPLE)]
        before = self.right(sample)
        in_context = set(task.parts) <= set(self.wake.context)
        facts = self._read(task, examples) if in_context else self._train(task, examples, replay, seed, look)
        learned = sum(now and not was for now, was in zip(self.right(sample), before, strict=True)) / len(sample)
        return {**facts, "learned": round(learned, 6)}

    def _train(self, task: Task, examples: Batch, replay: Source | None, seed: int, look: Look | None) -> Facts:
        """Optimizer steps on the day's lines beside replayed ones."""
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

        self.train_only(fast=False)
        facts = self.practise(draw, wake.steps, wake.rate, min(100, wake.steps // 5), wake.problem_weight, look=look)
        self.train_only(fast=True)
        return {**facts, "replayed": old * wake.steps}

    def _read(self, task: Task, examples: Batch) -> Facts:
        """Take a few lines of each family, easiest first and each problem once, as what stands before its problems."""
        for family in task.parts:
            lines = list({line.problem: line for line in examples.lines if line.problem.family == family}.values())
            easiest = sorted(lines, key=lambda line: self.families[family].level(line.problem.text))[: self.wake.shots]
            self.contexts[family] = self.families[family].context(easiest)
        return {"steps": 0, "samples": 0, "tokens": 0, "context": dict(self.contexts)}

    def practise(
        self,
        draw: Callable[[int], Sequence[Line]],
        steps: int,
        rate: float,
        warmup: int,
        problem_weight: ProblemWeight,
        loss: Loss | None = None,
        look: Look | None = None,
    ) -> Facts:
        """Train what `train_only` named; see `training.train`."""
        return train(self.model, draw, self.row, self.codec.pad, steps, rate, warmup, problem_weight, loss, look, self.chunk)

    def row(self, line: Line) -> Row:
        """How a line is written in tokens."""
        return self.codec.row(self.prompt(line.problem), line.answer or "")

    def prompt(self, problem: Problem) -> str:
        """How a problem is written before its answer."""
        return self.codec.prompt(self.contexts.get(problem.family, "") + self.families[problem.family].prefix, problem.text)

    def opening(self, family: str) -> str:
        """What stands before a problem that it is to write."""
        return self.codec.opening(self.leads.get(family, self.contexts.get(family, "")) + self.families[family].prefix)

    def _opened(self) -> dict[str, Any]:
        """What is saved beside weights."""
        return {"known": self.known, "contexts": self.contexts, "leads": self.leads, "notebook": self.notebook}

    def _open_as(self, saved: Mapping[str, Any]) -> None:
        """Copy what `_opened` gave."""
        self.known = tuple(saved["known"])
        self.contexts, self.leads = dict(saved.get("contexts", {})), dict(saved.get("leads", {}))
        self.notebook = copy.deepcopy(saved.get("notebook", {}))

    def save(self, folder: Path) -> None:
        """Write weights and the families opened so far."""
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        raise NotImplementedError

    def say(self, prompts: Sequence[str], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        """Free text after each prompt, for learners that have words."""
        raise NotImplementedError

    def attempt(self, problems: Sequence[Problem], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        """Answers to each problem, one for each temperature (0: greedy), malformed ones as they are."""
        raise NotImplementedError

    def write(self, family: str, n: int, limit: int, seed: int) -> list[str]:
        """Problems that the model writes after a family's opening, malformed ones included.

        Args:
            family: whose opening.
            n: how many.
            limit: most characters; what hasn't ended by then is malformed.
            seed: of the draws.
        """
        raise NotImplementedError

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

    def train_only(self, fast: bool, but: Mapping[str, Tensor] | None = None) -> None:
        """Let gradients reach the fast weights or the lasting ones; where all weights are fast, there is no difference between the two.

        Args:
            fast: which.
            but: weights that came along when the learner grew, by name: whole, or the first rows and columns of what is larger now. No
                gradient reaches them. Weight decay still moves the latter, so `put_back` belongs to it.
        """
        while self._held:
            self._held.pop().remove()
        for name, parameter in self.lasting.named_parameters():
            chosen, old = self.settings.fast == "full" or ("lora_" in name) == fast, (but or {}).get(name.replace(".base_layer", ""))
            parameter.requires_grad_(chosen and (old is None or old.shape != parameter.shape))
            if parameter.requires_grad and old is not None:
                self._held.append(parameter.register_hook(partial(_without, part(old))))

    def put_back(self, old: Mapping[str, Tensor]) -> None:
        """Make weights that came along what they were."""
        with torch.no_grad():
            for name, parameter in self.lasting.named_parameters():
                if (weight := old.get(name.replace(".base_layer", ""))) is not None:
                    parameter[part(weight)] = weight

    def reset_fast(self, seed: int) -> None:
        """Give the LoRA back its first state, in which it changes nothing."""
        with tensors.seeded(seed, self.device):
            for module in self.model.modules():
                if isinstance(module, LoraLayer):
                    module.reset_lora_parameters("default", init_lora_weights=True)

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


def part(old: Tensor) -> tuple[slice, ...]:
    """Where a smaller tensor lies in the one that it grew to."""
    return tuple(slice(size) for size in old.shape)


def _without(place: tuple[slice, ...], gradient: Tensor) -> Tensor:
    held = gradient.clone()
    held[place] = 0
    return held
