"""Cuts a question into words, figures and signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

__all__ = ["PAUSE", "WORDS_KEPT", "Token", "tokens"]

_TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*(?!\w)"
    r"|\d+(?:[.,:/-]\d+)*(?:st|nd|rd|th)?(?![^\W_])"  # 5 1,000 10:30 2024-03-05 3rd
    r"|\d+(?:[.,]\d+)?(?=[^\W\d_]{1,3}\b)"  # the figure of 5kg and 20k
    r"|[^\W_]+"  # A4
    r"|\S"
)
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'"})
_PAUSES = frozenset(",;:.?!")
_SILENT = frozenset("¿¡\"'()[]{}«»„“”…–—-*_\u200b\ufeff")  # noqa: RUF001 - dashes as people type them

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


def _pieces(text: Iterable[str]) -> list[str]:
    found = [piece for spaced in text for piece in _cut(spaced)]
    signed = [_signed(found, at) for at in range(len(found))] if "-" in found else found
    return [piece for piece in signed if piece not in _SILENT]


@lru_cache(WORDS_KEPT)
def _cut(spaced: str) -> tuple[str, ...]:
    # In this order: NFKC makes a space and an accent of an acute that stands alone.
    plain = unicodedata.normalize("NFKC", spaced.translate(_APOSTROPHES))
    return tuple(_TOKEN.findall(plain))


def _signed(pieces: list[str], at: int) -> str:
    """A minus belongs to its figure unless it stands between two: a range, a date."""
    piece = pieces[at]
    minus = at > 0 and pieces[at - 1] == "-" and piece[0].isdigit()
    after = pieces[at - 2] if at > 1 else ""
    return f"-{piece}" if minus and not after[:1].isalnum() else piece


def _is_name(word: str, *, first: bool) -> bool:
    if word == "I" or word.startswith("I'"):
        return False
    return not first or (word.isupper() and len(word) > 1)
