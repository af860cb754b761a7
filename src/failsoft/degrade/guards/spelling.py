"""Whether a word is another with a slip of the finger.

Only slips that seldom make another word: two neighbours swapped, a letter single for double, in a
long word one vowel. The few right words that lie so near to each other are listed, and a word that
the lists have is never taken for another one that they have. A language without such a list has its
slips left as they are: its questions are then seldom found, and never confused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from unicodedata import combining, normalize

from failsoft.degrade.guards.language import Language, language_of

__all__ = ["corrected", "is_slip", "slips"]

_SHORTEST = 5
_LONG_ENOUGH = 6
_LETTERS = "abcdefghijklmnopqrstuvwxyzäöüßáéíóúñ"
_LONG = 8
_VOWELS = "aeiouyäöüáéíóú"


def corrected(word: str, language: Language) -> str:
    """The listed word that this unknown one is a slip of, or the word itself."""
    if not language.corrects or len(word) < _SHORTEST or not word.isalpha():
        return word
    return _corrected(word, language.tag)


@lru_cache(20_000)
def _corrected(word: str, tag: str) -> str:
    language = language_of(tag)
    if language is None or word in language.confusable or _is_known(word, language):
        return word
    found = {one for one in _slipped(word) if one in language.spelled and _ends_alike(word, one)}
    return found.pop() if len({language.key(one) for one in found}) == 1 else word


def _ends_alike(word: str, right: str) -> bool:
    """Endings tell tenses; only an accent may be missing there."""
    return sorted(word[-2:]) == sorted(right[-2:]) or _unaccented(right) == word


def _unaccented(word: str) -> str:
    return "".join(one for one in normalize("NFD", word) if not combining(one))


def _is_known(word: str, language: Language) -> bool:
    key = language.key(word)
    return word in language.spelled or key in language.known or key in language.classes


def _slipped(word: str) -> Iterator[str]:
    """Every row of letters that is one slip away behind the first letter."""
    for at in range(1, len(word) + 1):
        left, right = word[:at], word[at:]
        yield from (left + letter + right for letter in _LETTERS)
        if right:
            yield left + right[1:]
            yield from (left + letter + right[1:] for letter in _LETTERS)
            yield left + right[1:2] + right[0] + right[2:]


def slips(ours: list[str], theirs: list[str], language: Language) -> dict[str, str]:
    """For each of these words, all that two questions do not share, the one it is a slip of.

    Empty where any of them is a word of its own.
    """
    if not language.corrects:
        return {}
    found = {one: other for one in ours for other in theirs if _may_be(one, other, language)}
    matched = len(ours) == len(theirs) == len(found) == len(set(found.values()))
    return found if matched else {}


def _may_be(one: str, other: str, language: Language) -> bool:
    if {one, other} & language.confusable or (
        _is_known(one, language) and _is_known(other, language)
    ):
        return False
    return one != other and is_slip(one, other)


@lru_cache(1000)
def is_slip(one: str, other: str) -> bool:
    """Whether one of these slips makes one of the other."""
    short, long = sorted((one, other), key=len)
    if len(long) < _LONG_ENOUGH or short[:1] != long[:1] or len(long) - len(short) > 1:
        return False
    at = next(
        (n for n, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), -1
    )
    if at < 0:
        at = len(short)
    if len(short) == len(long):
        swapped = short[:at] + short[at + 1 : at + 2] + short[at : at + 1] + short[at + 2 :]
        vowel = {short[at : at + 1], long[at : at + 1]} <= set(_VOWELS)
        return swapped == long or (
            vowel and len(long) >= _LONG and short[at + 1 :] == long[at + 1 :]
        )
    extra = long[at : at + 1]
    doubled = at > 0 and extra == long[at - 1]
    rest = short[at:] == long[at + 1 :]
    return rest and (doubled or (extra in _VOWELS and len(long) >= _LONG and at < len(short)))
