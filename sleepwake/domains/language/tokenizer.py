"""The character tokenizer, and the one form of a line: prefix, problem, "=", answer, end."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sleepwake.domains.language.codec import Row

SPECIAL = ("<pad>", "<bos>", "<eos>")
PAD, BOS, EOS = range(3)
ALPHABET = "0123456789+=" + "rcosap"
"""Digits, signs, and a prefix for each family; the same for every recipe, so that any mind can be taught any family."""
VOCABULARY = len(SPECIAL) + len(ALPHABET)
SIGN = len(SPECIAL) + ALPHABET.index("=")
"""The token between problem and answer."""


def tokenizer(end: str = SPECIAL[EOS]) -> PreTrainedTokenizerFast:
    """A token a character, padded on the left, as trainers of transformers and TRL want it; `end` is what ends a completion."""
    inner = Tokenizer(models.WordLevel({token: at for at, token in enumerate((*SPECIAL, *ALPHABET))}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token=end,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


_CODES = {char: len(SPECIAL) + at for at, char in enumerate(ALPHABET)}


class CharacterCodec:
    """A token a character. Equal to what `tokenizer` gives, without its overhead on millions of short lines."""

    pad, end = PAD, EOS

    def __init__(self) -> None:
        self.tokenizer = tokenizer()

    def prompt(self, prefix: str, problem: str) -> str:
        """A beginning, the family's prefix, the problem, the sign."""
        return f"{SPECIAL[BOS]}{prefix}{problem}="

    def opening(self, prefix: str) -> str:
        """A beginning and the family's prefix."""
        return SPECIAL[BOS] + prefix

    def encode(self, prompt: str) -> list[int]:
        """A beginning, then a token a character."""
        return [BOS, *(_CODES[char] for char in prompt.removeprefix(SPECIAL[BOS]))]

    def row(self, prompt: str, answer: str) -> Row:
        """The prompt, the answer, an end."""
        before = self.encode(prompt)
        return Row([*before, *(_CODES[char] for char in answer), EOS], len(before))


def decode(tokens: list[int]) -> str:
    """Text up to the first end; padding and beginnings are left out."""
    ended = tokens[: tokens.index(EOS)] if EOS in tokens else tokens
    return "".join(ALPHABET[token - len(SPECIAL)] for token in ended if token >= len(SPECIAL))
