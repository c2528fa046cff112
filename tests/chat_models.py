"""A tiny chat model of a real class, fitted in seconds to a scripted dialogue: single-digit sums and what is their opposite.

Random weights would run the code and show nothing: parsing, filters and rewards need a model that writes questions and answers them.
"""

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import torch
from filelock import FileLock
from tokenizers import pre_tokenizers
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

from sleepwake.domains.language import settings
from sleepwake.domains.language.notes import PROPOSE, WRITE
from sleepwake.domains.language.pretrained import PretrainedLearner
from sleepwake.domains.language.problems import Line, Problem
from sleepwake.domains.language.questions import Questions
from sleepwake.domains.language.text_codec import TextCodec
from sleepwake.domains.language.text_settings import FolderModel, Pretrained, QuestionSet
from sleepwake.domains.language.training import train
from sleepwake.domains.tensors import seeded
from sleepwake.records import Task
from sleepwake.roles import Guard

TEMPLATE = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
SYSTEM = "<|im_start|>system\nBe kind.<|im_end|>\n"
DEFAULTED = "{%- if messages[0]['role'] != 'system' -%}{{ '" + SYSTEM + "' }}{%- endif -%}" + TEMPLATE
"""As Qwen2.5's: where no system prompt is given, one of its own stands first."""
CHARS = "\n !\"#'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz{|}_"


def tokenizer(template: str = TEMPLATE) -> Qwen2Tokenizer:
    """A token a character, and Qwen's names of the turns. Of the class that transformers reads a Qwen2's tokenizer as, whatever class wrote
    it.
    """
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    chars = [as_bytes.pre_tokenize_str(char)[0][0] for char in CHARS]
    return Qwen2Tokenizer(
        {token: at for at, token in enumerate((*special, *chars))}, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"],
        chat_template=template,
    )  # fmt: skip


def dialogue(numbers: int = 10) -> list[tuple[str, str]]:
    """What is asked and what is said."""
    return [(f"What is {a} plus {b}?", f"It is {a + b}.") for a in range(numbers) for b in range(numbers)]


def noted() -> list[tuple[str, str]]:
    """A model that answers sums only after the note "Count on.", which it writes when it is told that something was wrong. It judges what
    answers to be right and what doesn't answer to be wrong.
    """
    turns = []
    for asked, said in dialogue(4):
        turns += [(asked, "I do not know."), *[(f"Count on.\n{asked}", said)] * 4]
        for notes in ("", "Count on."):
            turns.append((PROPOSE["reasoner"].format(notes=notes, problem=asked, answer="I do not know."), "Count on."))
            turns.append((PROPOSE["challenger"].format(notes=notes and "Ask more.", problem=asked, answer=said), "Ask more."))
        judged = f"Is it right? Say Yes or No.\n\nProblem: {asked}\nAnswer: "
        turns += [(judged + said, "Yes"), (judged + "I do not know.", "No")]
        turns.append((f"Ask more.\n{asked}", "I do not know."))
    notes = [(old, note) for note in ("Count on.", "Ask more.") for old in ("", note)]
    return turns + [(WRITE.format(notes=old, change=note), note) for old, note in notes for _ in range(8)]


@cache
def fitted_to_notes(steps: int = 300) -> Path:
    """A folder with a Qwen3 that is fitted to `noted`; no system prompt."""
    return once("notes", lambda folder: write(folder, noted(), steps, Qwen3ForCausalLM, TEMPLATE))


@cache
def fitted(steps: int = 300) -> Path:
    """A folder with a Qwen2 of 0.1 M weights, the class of Qwen2.5 that shipped recipes name, with a system prompt of its own as there. It
    knows half of the dialogue by heart.
    """
    return once("chat", lambda folder: write(folder, dialogue()[::2], steps, Qwen2ForCausalLM, DEFAULTED))


def once(name: str, fit: Callable[[Path], None]) -> Path:
    """A folder that the first of a run's test processes fills."""
    folder = Path(gettempdir()) / f"sleepwake-{name}-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            half = Path(mkdtemp(prefix=f"sleepwake-{name}-"))
            fit(half)
            half.rename(folder)
    return folder


def write(folder: Path, turns: list[tuple[str, str]], steps: int, kind: type[Qwen2ForCausalLM | Qwen3ForCausalLM], template: str) -> None:
    """Fit one, and save it as transformers does."""
    words = tokenizer(template)
    codec = TextCodec(words, "chat")
    more = {"head_dim": 12} if kind is Qwen3ForCausalLM else {"initializer_range": 0.1}  # as narrow as it is, it begins slowly with 0.02
    config: Qwen2Config | Qwen3Config = kind.config_class(
        vocab_size=len(words), hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=None, eos_token_id=codec.end, pad_token_id=codec.pad, **more,
    )  # fmt: skip
    cpu = torch.device("cpu")
    with seeded(0, cpu):
        model = kind(config)
    lines = [Line(Problem("", asked), said) for asked, said in turns]
    draws = torch.Generator(device="cpu").manual_seed(0)
    order = torch.randint(len(lines), (steps, 16), generator=draws, device="cpu").tolist()
    with cpu:
        told = train(
            model, lambda step: [lines[at] for at in order[step]], lambda line: codec.row(codec.prompt("", line.problem.text), line.answer or ""),
            codec.pad, steps, 6e-3, 20, 0.5,
        )  # fmt: skip
    assert float(told["loss_last"]) < 0.3, told
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def questions(folder: Path, numbers: int = 10) -> Path:
    """The dialogue as a file of questions: even ones for the day, odd ones for tests."""
    file = folder / "sums.jsonl"
    rows = [{"split": ("train", "test")[at % 2], "question": asked, "answer": said} for at, (asked, said) in enumerate(dialogue(numbers))]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return file


def sums(folder: Path) -> Questions:
    """That file, read as the set "sums"."""
    return Questions("sums", QuestionSet(path=str(questions(folder)), extract="number"), Guard(), ())


def learner(folder: Path, sums: Questions, **said: object) -> PretrainedLearner:
    """A learner that begins with a folder's model, on the day of the sums."""
    chosen = Pretrained(type="pretrained", model=FolderModel(type="folder", folder=str(folder)), longest=16, rank=4, **said)  # type: ignore[arg-type]
    cpu = torch.device("cpu")
    with cpu:
        one = PretrainedLearner(chosen, settings.Wake(steps=30, batch=16, rate=5e-3), {"sums": sums}, 0, cpu)
    one.open(Task(0, "sums", ("sums",)), 0)
    return one


def asked(*texts: str) -> list[Problem]:
    """Sums as problems."""
    return [Problem("sums", text) for text in texts]
