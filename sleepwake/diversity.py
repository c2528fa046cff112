"""How alike a set of texts is, and which of a few formats they take: what collapses when a loop rewards itself.

The echo chamber (Zhao et al. 2025, arXiv 2504.07912) is seen here before accuracy tells.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import exp, log
from statistics import fmean

import numpy as np


def shares(formats: Sequence[str]) -> dict[str, float]:
    """The share of each format, the most frequent first."""
    return {name: count / len(formats) for name, count in Counter(formats).most_common()}


def format_entropy(share: Mapping[str, float]) -> float:
    """-sum p log p in nats."""
    return -sum(p * log(p) for p in share.values() if p > 0)


def effective_formats(share: Mapping[str, float]) -> float:
    """Exp of the entropy: 1 where one format is all there is, their number where all are as frequent."""
    return exp(format_entropy(share))


def dominant_share(share: Mapping[str, float]) -> float:
    """The share of the most frequent format."""
    return max(share.values())


@lru_cache(maxsize=4096)
def grams(text: str, n: int) -> Counter[str]:
    """Character n-grams and how often each occurs; remembered, since each text is compared with all others. Not to be changed."""
    return Counter(text[at : at + n] for at in range(len(text) - n + 1))


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Different character n-grams over all of them (Li et al. 2016, arXiv 1510.03055); 0 where no text is long enough."""
    counts = [grams(text, n) for text in texts]
    every = sum(count.total() for count in counts)
    return len(set().union(*counts)) / every if every else 0.0


def bleu(text: str, others: Sequence[str], most: int = 4) -> float:
    """Character BLEU of a text against others (Papineni et al. 2002), with 1 added to counts above 1-grams (Lin & Och 2004)."""
    logs = []
    for n in range(1, min(most, len(text)) + 1):
        mine, theirs = grams(text, n), [grams(other, n) for other in others]
        met = sum(min(count, max(counts[gram] for counts in theirs)) for gram, count in mine.items())
        more = 1 if n > 1 else 0
        precision = (met + more) / (mine.total() + more)
        if precision == 0:
            return 0.0
        logs.append(log(precision))
    nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(text)), length))
    brevity = min(1.0, exp(1 - nearest / len(text)))
    return brevity * exp(fmean(logs))


def self_bleu(texts: Sequence[str]) -> float:
    """Mean BLEU of each non-empty text against all others (Zhu et al. 2018, arXiv 1802.01886); 1 where all are equal."""
    assert len(texts) > 1
    return fmean(bleu(text, [*texts[:at], *texts[at + 1 :]]) if text else 0.0 for at, text in enumerate(texts))


def trigram_cosine(one: str, other: str) -> float:
    """Cosine of the counts of character 3-grams, the ends marked: the kernel of `vendi` unless another is given."""
    first, second = (grams(f"\2{text}\3", 3) for text in (one, other))
    dot = sum(count * second[gram] for gram, count in first.items())
    norm = (sum(count**2 for count in first.values()) * sum(count**2 for count in second.values())) ** 0.5
    return dot / norm if norm else float(one == other)


def vendi(texts: Sequence[str], kernel: Callable[[str, str], float] = trigram_cosine) -> float:
    """Exp of the entropy of the eigenvalues of K / n (Friedman & Dieng 2023, arXiv 2210.02410): the effective number of different texts.

    Args:
        texts: n of them.
        kernel: similarity, symmetric, 1 of a text with itself, positive semi-definite.
    """
    kernel_NN = np.array([[kernel(one, other) for other in texts] for one in texts])
    values_N = np.linalg.eigvalsh(kernel_NN / len(texts))
    kept = values_N[values_N > 1e-12]
    return float(np.exp(-(kept * np.log(kept)).sum()))


def effective_prompts(rewards: Sequence[Sequence[float]]) -> float:
    """The share of groups of attempts whose rewards differ: the others teach a group-relative trainer nothing (DAPO, arXiv 2503.14476)."""
    return fmean(max(group) > min(group) for group in rewards)


def distance(one: str, other: str) -> int:
    """Levenshtein distance: fewest characters inserted, left out or replaced."""
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, 1):
        row, above = [at], row
        for place, right in enumerate(other, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (left != right)))
    return row[-1]
