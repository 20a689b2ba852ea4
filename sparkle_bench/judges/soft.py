"""The expected mark, from the probabilities of the token that holds a mark; beside the hard mark, never instead of it.

With p(m) the probability of mark m at that token, the expected mark is `Σ m·p(m) / Σ p(m)` over the marks of the scale that
are among the token's listed alternatives (G-Eval, arXiv 2303.16634, section 2). A dimension whose mark is not found as a
digit in one token, or lies elsewhere than the reader of replies read it, has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sparkle_bench.rubric import Rubric, Scores, mark_places

DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChoice:
    """One token of a reply, and what else could have stood there.

    Attributes:
        text: The token; bytes that are no UTF-8 as surrogate escapes.
        alternatives: Natural logarithm of the probability of each listed token, this one included, by its text.
    """

    text: str
    alternatives: Mapping[str, float]


def expected_marks(reply: str, tokens: Sequence[TokenChoice], scores: Scores, rubric: Rubric) -> dict[str, float]:
    """Return the expected mark (a real number on the rubric's scale) of each dimension for which it can be told.

    Args:
        reply: The judge's reply.
        tokens: Its tokens, in order; those before or after the reply's text may be there too.
        scores: The hard marks that were read from the reply.
        rubric: The scale.
    """
    starts = _starts(reply.encode(), [token.text.encode("utf-8", "surrogateescape") for token in tokens])
    found = {}
    for key, place in mark_places(reply, rubric).items():
        if not starts or reply[place : place + 1] != str(scores[key]):
            continue
        offset = len(reply[:place].encode())
        index = max(number for number, start in starts.items() if start <= offset)
        mean = _mean(tokens[index], offset - starts[index], rubric)
        if mean is not None:
            found[key] = round(mean, DIGITS)
    return found


def _starts(reply: bytes, pieces: Sequence[bytes]) -> dict[int, int]:
    """Return where each token that belongs to the reply begins in it, by the token's number; none if they do not fit.

    Tokens before and after the reply do not belong to it; special tokens amid it are left out of a reply's text.
    """
    shift = b"".join(pieces).find(reply)
    if shift >= 0:
        starts = {number: start - shift for number, start in enumerate(_running(pieces))}
        return {number: start for number, start in starts.items() if -len(pieces[number]) < start < len(reply)}
    found, place = {}, 0
    for number, piece in enumerate(pieces):
        if piece and reply.startswith(piece, place):
            found[number] = place
            place += len(piece)
    return found if place == len(reply) else {}


def _running(pieces: Sequence[bytes]) -> Iterator[int]:
    """Yield where each piece begins in the whole."""
    place = 0
    for piece in pieces:
        yield place
        place += len(piece)


def _mean(token: TokenChoice, inside: int, rubric: Rubric) -> float | None:
    """Return the mean mark over the alternatives that are this token with another mark, or None if none is listed."""
    before = token.text.encode("utf-8", "surrogateescape")[:inside]
    weights: dict[int, float] = {}
    for text, log_probability in token.alternatives.items():
        piece = text.encode("utf-8", "surrogateescape")
        digit, rest = piece[inside : inside + 1], piece[inside + 1 : inside + 2]
        if piece[:inside] == before and digit.isdigit() and not rest.isdigit():
            mark = int(digit)
            if rubric.lowest <= mark <= rubric.highest:
                weights[mark] = weights.get(mark, 0.0) + math.exp(log_probability)
    total = sum(weights.values())
    return sum(mark * weight for mark, weight in weights.items()) / total if total > 0 else None
