"""Whether a word is another with a slip of the finger.

Only slips that seldom make another word: two neighbours swapped, a letter single for double, in a
long word one vowel. The few right words that lie so near to each other are listed, and a word that
the lists have is never taken for another one that they have. A language without such a list has
only what sounds like a listed word put right, "equipage" for "equipaje", and words that sound alike
and are both right are listed too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from failsoft.ladder.paraphrase.language import Language
from failsoft.ladder.paraphrase.tokens import WORDS_KEPT

__all__ = ["corrected", "slips"]

_SHORTEST = 5
_LONG_ENOUGH = 6
_LONG = 8
_VOWELS = frozenset("aeiouyäöüáéíóú")


def corrected(word: str, language: Language) -> str:
    """The listed word that this unknown one is a slip of, or the word itself."""
    if not language.spelled or len(word) < _SHORTEST:
        return word
    return _corrected(word, language)


@lru_cache(WORDS_KEPT)
def _corrected(word: str, language: Language) -> str:
    if not word.isalpha() or word in language.confusable or _is_known(word, language):
        return word
    if language.sounds:
        found = _sounding(language).get(_sound(word, language), [])
    else:
        near = _listed(language).get(_ends(word), ())
        found = sorted(one for one in near if _is_one_apart(word, one))
    return found[0] if len({language.key(one) for one in found}) == 1 else word


@cache
def _listed(language: Language) -> Mapping[str, list[str]]:
    """The listed words that have the same ends: one slip apart are only such."""
    found: dict[str, list[str]] = {}
    for word in filter(str.isalpha, language.spelled):
        found.setdefault(_ends(word), []).append(word)
    return found


@cache
def _sounding(language: Language) -> Mapping[str, list[str]]:
    """The listed words by how they sound."""
    found: dict[str, list[str]] = {}
    for word in sorted(filter(str.isalpha, language.spelled - language.confusable)):
        found.setdefault(_sound(word, language), []).append(word)
    return found


def _sound(word: str, language: Language) -> str:
    for pattern, sound in language.sounds:
        word = pattern.sub(sound, word)
    return word


def _ends(word: str) -> str:
    """Slips behind the first letter are put right, and none in an ending, which marks tenses."""
    return word[0] + "".join(sorted(word[-2:]))


def _is_known(word: str, language: Language) -> bool:
    key = language.key(word)
    return word in language.spelled or key in language.known or key in language.classes


def _is_one_apart(one: str, other: str) -> bool:
    """Whether a letter more, less or changed, or two swapped, make one of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    at = _parting(one, other)
    swapped = one[:at] + one[at + 1 : at + 2] + one[at : at + 1] + one[at + 2 :]
    return (
        one[at + 1 :] in {other[at:], other[at + 1 :]}
        or one[at:] == other[at + 1 :]
        or swapped == other
    )


def _parting(one: str, other: str) -> int:
    """How many letters are the same at the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def slips(ours: list[str], theirs: list[str], language: Language) -> dict[str, str]:
    """For each of these words, all that two questions do not share, the one it is a slip of.

    Empty where any of them is a word of its own.
    """
    if not language.spelled or language.sounds or len(ours) != len(theirs):
        return {}
    found = {one: other for one in ours for other in theirs if _may_be(one, other, language)}
    matched = len(ours) == len(found) == len(set(found.values()))
    return found if matched else {}


def _may_be(one: str, other: str, language: Language) -> bool:
    return (
        one[:1] == other[:1]  # most often not, and all else takes longer
        and one != other
        and _is_slip(one, other)
        and language.confusable.isdisjoint((one, other))
        and not (_is_known(one, language) and _is_known(other, language))
    )


def _is_slip(one: str, other: str) -> bool:
    """Whether one of these slips makes one of the other, of two that begin with one letter."""
    short, long = sorted((one, other), key=len)
    if len(long) < _LONG_ENOUGH or len(long) - len(short) > 1:
        return False
    at = _parting(short, long)
    if len(short) == len(long):
        swapped = short[:at] + short[at + 1 : at + 2] + short[at : at + 1] + short[at + 2 :]
        vowel = {short[at : at + 1], long[at : at + 1]} <= _VOWELS
        return swapped == long or (
            vowel and len(long) >= _LONG and short[at + 1 :] == long[at + 1 :]
        )
    extra = long[at : at + 1]
    doubled = at > 0 and extra == long[at - 1]
    rest = short[at:] == long[at + 1 :]
    return rest and (doubled or (extra in _VOWELS and len(long) >= _LONG and at < len(short)))
