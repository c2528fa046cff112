"""The character tokenizer, and the one form of a line: prefix, problem, "=", answer, end."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

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


def encode(text: str) -> list[int]:
    """A beginning, then a token a character; equal to what `tokenizer` gives, without its overhead on millions of short
    lines.
    """
    return [BOS, *(_CODES[char] for char in text)]


def decode(tokens: list[int]) -> str:
    """Text up to the first end; padding and beginnings are left out."""
    ended = tokens[: tokens.index(EOS)] if EOS in tokens else tokens
    return "".join(ALPHABET[token - len(SPECIAL)] for token in ended if token >= len(SPECIAL))
