"""Brings the forms of a word together: only those that never change what is asked.

English has rules of its own here: the usual stemmers take off so much that a customer becomes
customs and an employer an employee.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from threading import Lock

from failsoft.degrade.guards.tokens import WORDS_KEPT

__all__ = ["Inflection"]

_SHORT = 5
_VOWELS = re.compile(r"[aeiouy]+")
_ONE_CONSONANT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
_SILENT_E = re.compile(r"(?:[vzcu]|[aeiou]s|[^aeiour]l|dg|rg|ng|at|iz)$")
_SIBILANTS = ("sses", "shes", "ches", "xes", "zes")


class Inflection:
    """The key of a word: equal for its forms. ``stemmer`` is Snowball's name, empty for English."""

    def __init__(self, stemmer: str, irregular: Mapping[str, str], whole: Collection[str]) -> None:
        self._stem = _snowball(stemmer) if stemmer else _english
        self._irregular = irregular
        self._whole = frozenset(whole)
        self.key = lru_cache(WORDS_KEPT)(self._key)

    def _key(self, word: str) -> str:
        word = self._irregular.get(word, word)
        return word if word in self._whole else self._stem(word)


def _snowball(name: str) -> Callable[[str], str]:
    import snowballstemmer  # noqa: PLC0415 - a fifth of a second that not everybody needs

    stemmer = snowballstemmer.stemmer(name)
    one_at_a_time = Lock()  # it keeps the word that it works on

    def stem(word: str) -> str:
        with one_at_a_time:
            return str(stemmer.stemWord(word))

    return stem


def _english(word: str) -> str:
    if len(word) < 4:  # noqa: PLR2004 - too short to end in anything
        return word
    return _spelling(_participle(_singular(word)))


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(_SIBILANTS):
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "sui" else word


def _participle(word: str) -> str:
    if word.endswith("ied"):
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 1 and _VOWELS.search(root):
            return _root(root)
    return word


def _root(root: str) -> str:
    """What stood before the ending: its doubled letter undone, its silent e put back."""
    if root[-1] == root[-2]:
        return root if len(root) < _SHORT and root[-1] in "lsfzd" else root[:-1]
    if _ONE_CONSONANT.fullmatch(root) or _SILENT_E.search(root):
        return root + "e"
    return root


def _spelling(word: str) -> str:
    """One spelling for British and American; it need not be a word."""
    if len(word) > _SHORT:
        word = re.sub("is(e|ation)$", r"iz\1", word)
        word = re.sub("our$", "or", word)
        word = word.removesuffix("e")
    if len(word) >= _SHORT and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word
