"""What a recipe can say of text that others wrote: pretrained models, and sets of questions with answers. Imports no torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from sleepwake.settings import Settings


class FolderModel(Settings):
    """A causal language model on disk."""

    type: Literal["folder"]
    """A folder as transformers' save_pretrained writes it: configuration, safetensors, tokenizer."""
    folder: str
    """Absolute, or relative to where data are sought."""


class HubModel(Settings):
    """The same from the hub; touches the network."""

    type: Literal["hub"]
    """Fetched once, then read from the hub's own cache."""
    id: str = Field(min_length=1)
    """Such as "Qwen/Qwen2.5-0.5B-Instruct"."""
    revision: str = ""
    """A commit, so that the weights can't change under a run; empty: the newest."""


class Pretrained(Settings):
    """A causal language model that others have trained, of any architecture of transformers."""

    type: Literal["pretrained"]
    """With its own tokenizer; code that comes with a model is never run."""
    model: FolderModel | HubModel = Field(discriminator="type")
    """Where it is."""
    template: Literal["chat", "plain"] = "chat"
    """Problems stand in the model's chat template as the user's turn, or before "Answer: ". Problems of its own the model writes after the
    part of the template that comes before the user's words (MAGPIE, arXiv 2406.08464)."""
    fast: Literal["lora", "full"] = "lora"
    """What is trained, by day and by night: a LoRA on frozen weights, or all weights."""
    rank: int = Field(16, ge=1, le=1024)
    """Rank of the LoRA."""
    longest: int = Field(256, ge=1, le=32_768)
    """Most tokens of an answer."""
    chunk: int = Field(8, ge=1, le=4096)
    """Lines a forward pass of training; memory goes with it, with their length, and with the vocabulary."""
    together: int = Field(64, ge=1, le=4096)
    """Answers that are written at once."""


class QuestionSet(Settings):
    """Questions with answers, one JSON object a line, from a file or the hub."""

    path: str = ""
    """A .jsonl or .jsonl.gz file, absolute or relative to where data are sought."""
    hub: str = ""
    """Or a data set's id on the hub, such as "openai/gsm8k"; touches the network."""
    config: str = ""
    """The hub's name of a part of the data set, such as "main"."""
    revision: str = ""
    """A commit of the hub's, so that the rows can't change under a run; empty: the newest."""
    question: str = "{question}"
    """How a row is asked, its fields in braces."""
    answer: str = "{answer}"
    """How it is answered, reasoning included."""
    instruction: str = ""
    """What stands before every question."""
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Rows that belong to it, by the values of their fields, e.g. { label = ["card_arrival", "exchange_rate"] }; a hub's split is the
    field "split"."""
    train: dict[str, str] = Field(default_factory=lambda: {"split": "train"})
    """Rows for the day."""
    test: dict[str, str] = Field(default_factory=lambda: {"split": "test"})
    """Rows for tests. Where this is {}, a fifth of the rows, chosen by their questions' hashes, is kept for tests."""
    extract: Literal["text", "number"] = "text"
    """What an answer says: its text, spaces and capitals aside, or the last number in it."""
    marker: str = ""
    """Where it is not empty, only what stands after its last appearance says it, e.g. "####"; an answer without it is malformed."""
    closed: bool = False
    """Whether only the day's own answers count as well formed, as with labels."""
    longest: int = Field(600, ge=1)
    """Most characters of a question that the model writes."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.path) == bool(self.hub):
            raise ValueError('a set of questions is a file or of the hub: write path = "questions.jsonl", or hub = "owner/name"')
        if self.revision and not self.hub:
            raise ValueError("a file has no revision: leave it out")
        return self
