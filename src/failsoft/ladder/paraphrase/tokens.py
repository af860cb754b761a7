"""Cuts a question into words, figures and signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

__all__ = ["PAUSE", "WORDS_KEPT", "Token", "plain", "tokens"]

_TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*(?!\w)"
    r"|\d+(?:[.,:/-]\d+)*(?:st|nd|rd|th)?(?![^\W_])"  # 5 1,000 10:30 2024-03-05 3rd
    r"|\d+(?:[.,]\d+)?(?=[^\W\d_]{1,3}\b)"  # the figure of 5kg and 20k
    r"|[^\W_]+"  # A4
    r"|\S"
)
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'"})
_PAUSES = frozenset(",;:.?!")
_DASHES = "-\u2013\u2014"
_MINUS = str.maketrans({"\u2212": "-"})
# A figure that is raised, but for areas and volumes: people type m2 for the square metre.
_POWER = re.compile(r"(?<!m)(?<!ft)([\u00b2\u00b3\u00b9\u2070-\u207f]+)")
_SILENT = frozenset("¿¡\"'()[]{}«»„“”…–—-*_\u200b\ufeff")  # noqa: RUF001 - dashes as people type them

# Letters of a grade or a blood group; after a longer word, a dash is an ellipsis or a pause.
_GRADE = 2

# What a word is, is found out once for each of so many.
WORDS_KEPT = 20_000


class Token(NamedTuple):
    """A word in lower case, and whether it was written as a name or an abbreviation."""

    text: str
    named: bool = False


PAUSE = Token("")


def tokens(text: Iterable[str], *, capitals: bool) -> list[Token]:
    """The words of a question that is cut at its spaces.

    ``capitals`` where a capital inside a sentence marks a name.
    """
    written = _pieces(text)
    names = _names(written) if capitals else set()
    return [
        PAUSE if word in _PAUSES else Token(word.lower(), at in names)
        for at, word in enumerate(written)
    ]


def _names(written: list[str]) -> set[int]:
    """Where the names stand; none can be known where most words have a capital."""
    capitals = [at for at, word in enumerate(written) if word[0].isupper()]
    if not capitals or len(capitals) * 2 > sum(word[0].isalpha() for word in written):
        return set()
    return {
        at for at in capitals if _is_name(written[at], first=at == 0 or written[at - 1] in _PAUSES)
    }


def plain(text: str) -> str:
    """The text in one way of writing: powers as 5^2, one minus, wide letters narrow."""
    return unicodedata.normalize("NFKC", _POWER.sub(r"^\1", text).translate(_MINUS))


def _pieces(text: Iterable[str]) -> list[str]:
    found: list[str] = []
    minus = False
    for spaced in text:
        cut = _cut(spaced)
        if minus and cut and cut[0][0].isdigit():
            found.append(f"-{cut[0]}")
            cut = cut[1:]
        found += cut
        minus = spaced == "-"
    return found


@lru_cache(WORDS_KEPT)
def _cut(spaced: str) -> tuple[str, ...]:
    # In this order: NFKC makes a space and an accent of an acute that stands alone.
    pieces = _TOKEN.findall(plain(spaced.translate(_APOSTROPHES)))
    signed = [_signed(pieces, at) for at in range(len(pieces))]
    kept = zip(signed, range(len(pieces)), strict=True)
    return tuple(piece for piece, at in kept if piece not in _SILENT or _tells(pieces, at))


def _signed(pieces: list[str], at: int) -> str:
    """A figure with its minus, which may stand before its currency; 5! is another figure than 5."""
    piece = pieces[at]
    if not piece[0].isdigit():
        return piece
    first = at - 1 if at and unicodedata.category(pieces[at - 1][0]) == "Sc" else at
    minus = first > 0 and pieces[first - 1] in _DASHES and not _ends_word(pieces, first - 2)
    factorial = piece.isdigit() and pieces[at + 1 : at + 2] == ["!"]
    return f"{'-' * minus}{piece}{'!' * factorial}"


def _tells(pieces: list[str], at: int) -> bool:
    """Whether a mark that is mostly silent says something: 2*3, 5" and 5', the grade A-."""
    before, piece, after = pieces[at - 1 : at], pieces[at], pieces[at + 1 : at + 2]
    if piece == "*":
        return any(near[0][0].isdigit() for near in (before, after) if near)
    if piece in "'\"":
        last = not after or not after[0][0].isalpha()
        return last and pieces[0] != piece and any(near.isdigit() for near in before)
    ends = not any(near[0].isalnum() for near in pieces[at + 1 :])
    return piece == "-" and ends and _ends_word(pieces, at - 1) and len(pieces[at - 1]) <= _GRADE


def _ends_word(pieces: list[str], at: int) -> bool:
    return at >= 0 and pieces[at][-1].isalnum()


def _is_name(word: str, *, first: bool) -> bool:
    if word == "I" or word.startswith("I'"):
        return False
    return not first or (word.isupper() and len(word) > 1)
