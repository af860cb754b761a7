"""Takes "date of birth" for DOB where the other question has the one and lacks the other."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from failsoft.degrade.guards.language import Language

__all__ = ["abbreviated"]

_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = range(3, 6)


class _Words(NamedTuple):
    initials: str
    words: frozenset[str]
    short: tuple[str, ...]


def abbreviated(text: str, other: str, language: Language) -> str:
    """The text with each row of words put short whose initials are a word of the other's alone."""
    ours = _words(text)
    for short in _words(other).short:
        at = ours.initials.find(short)
        if at >= 0 and short not in ours.words and short not in language.grammar:
            spans = [match.span() for match in _WORD.finditer(text)]
            start, end = spans[at][0], spans[at + len(short) - 1][1]
            return text[:start] + short + text[end:]
    return text


@lru_cache(4096)
def _words(text: str) -> _Words:
    words = [word.lower() for word in _WORD.findall(text)]
    return _Words(
        "".join([word[0] for word in words]),
        frozenset(words),
        tuple([word for word in words if len(word) in _LETTERS]),
    )
