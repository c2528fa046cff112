"""A pretrained model's own tokenizer and chat template."""

from typing import Any, Literal

from sleepwake.domains.language.codec import Row
from sleepwake.errors import DataError

PLAIN = "\nAnswer: "
NO_CLOCK = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
"""Before a template that would tell the date: a run that is resumed tomorrow must have the same prompts. The date is Llama 3's own."""
MARK = "\u241fproblem\u241f"
"""Stands for the problem while a template is taken apart; no template writes it."""


class TextCodec:
    """Problems as the user's turn of a chat, or before "Answer: ".

    Args:
        tokenizer: of transformers; gets padding on the left, where it has no token for it its end, and as its end that of a turn.
        template: which of the two.

    Raises:
        DataError: there is no chat template, or no token that ends an answer.
    """

    def __init__(self, tokenizer: Any, template: Literal["chat", "plain"]) -> None:
        if template == "chat" and not tokenizer.chat_template:
            raise DataError("learner.model has no chat template", 'learner.template = "plain"')
        if tokenizer.eos_token_id is None:
            raise DataError("learner.model: its tokenizer names no end-of-text token", "set eos_token in its tokenizer_config.json")
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        if template == "chat":
            if "strftime_now" in tokenizer.chat_template:
                tokenizer.chat_template = NO_CLOCK + tokenizer.chat_template
            tokenizer.eos_token = end_of_turn(tokenizer)  # which is where trainers and `generate` look for it
        self.tokenizer, self.pad, self.end = tokenizer, int(tokenizer.pad_token_id), int(tokenizer.eos_token_id)
        rendered: str = (tokenizer.bos_token or "") + MARK + PLAIN
        if template == "chat":
            turn = [{"role": "user", "content": MARK}]
            rendered = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True, enable_thinking=False)
        before, _, after = rendered.partition(MARK)
        if tokenizer.bos_token_id in tokenizer("").input_ids:  # added to every text, so that it must not stand there twice
            before = before.removeprefix(tokenizer.bos_token)
        self.before, self.after = before, after

    @property
    def closing(self) -> str:
        """What a problem that the model writes ends with: the first word of what comes after it."""
        return self.after.split()[0]

    def prompt(self, prefix: str, problem: str) -> str:
        """The template, with prefix and problem in the user's turn."""
        return f"{self.before}{prefix}{problem}{self.after}"

    def opening(self, prefix: str) -> str:
        """The template up to the user's words, and the prefix."""
        return self.before + prefix

    def encode(self, prompt: str) -> list[int]:
        """As the tokenizer does, special tokens included."""
        return list(self.tokenizer(prompt).input_ids)

    def row(self, prompt: str, answer: str) -> Row:
        """The prompt, the answer, an end."""
        before = self.encode(prompt)
        return Row([*before, *self.tokenizer(answer, add_special_tokens=False).input_ids, self.end], len(before))


def end_of_turn(tokenizer: Any) -> str:
    """The special token with which a template closes what the assistant says; the end of a text where it closes with none."""
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": MARK}]
    after = tokenizer.apply_chat_template(turns, tokenize=False).partition(MARK)[2].strip()
    found = next((token for token in tokenizer.get_added_vocab() if after.startswith(token)), tokenizer.eos_token)
    return str(found)
