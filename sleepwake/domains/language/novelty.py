"""How new a problem is beside all that were set before."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from sleepwake.diversity import bleu, grams

CLOSE = 0.5
"""Near-copies: 1 - BLEU below this, where R-Zero (arXiv 2508.05004) takes two questions for one."""


def novelty(text: str, archive: Sequence[str]) -> float:
    """The Levenshtein distance to the nearest text of an archive, as a share of the longer one's length; 1 where the archive is empty.

    All N texts of the archive at once: a row of the table for each character of the text, over up to L characters of theirs.
    """
    if not archive:
        return 1.0
    codes_LN = np.array(archive).view(np.uint32).reshape(len(archive), -1).T
    lengths_N, place_L = (codes_LN > 0).sum(0), np.arange(len(codes_LN) + 1)[:, None]
    row_LN = np.repeat(place_L, len(archive), axis=1)
    for at, char in enumerate(text, 1):
        best_LN = np.minimum(row_LN[1:] + 1, row_LN[:-1] + (codes_LN != ord(char)))
        first_LN = np.concatenate([np.full((1, len(archive)), at), best_LN])
        row_LN = np.minimum.accumulate(first_LN - place_L) + place_L  # the least that characters left out add
    distance_N = row_LN[lengths_N, np.arange(len(archive))]
    return float((distance_N / np.maximum(lengths_N, len(text))).min())


def copies(texts: Sequence[str], archive: Sequence[str]) -> float:
    """The share of texts that are near-copies of one before them, in the archive or among themselves.

    A text is compared with those that have a quarter of its runs of three characters: from five characters on hardly any other reaches a
    BLEU of a half.
    """
    known: dict[str, dict[str, None]] = {}
    for text in archive:
        _put(text, known)
    close = 0
    for text in texts:
        pieces = _pieces(text)
        shared = Counter(other for piece in pieces for other in known.get(piece, ()))
        close += any(4 * n >= len(pieces) and 1 - bleu(text, [other]) < CLOSE for other, n in shared.items())
        _put(text, known)
    return close / len(texts) if texts else 0.0


def _pieces(text: str) -> Sequence[str]:
    return tuple(grams(text, 3)) or (text,)


def _put(text: str, known: dict[str, dict[str, None]]) -> None:
    for piece in _pieces(text):
        known.setdefault(piece, {})[text] = None
