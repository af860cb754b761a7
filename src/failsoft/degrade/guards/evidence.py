"""Whether a text is in the language it is said to be in."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from failsoft.degrade.guards.language import language_of, languages

__all__ = ["speaks"]

_WORD = re.compile(r"[^\W\d_]+")

# Languages without a table, by small words that the others do not have.
_FOREIGN = {
    "fr": "le la les des est une dans pour avec sur comment puis mon ma mes où quel quelle quels"
    " quelles combien ne pas je nous vous et ou ce cette du au aux sont être avoir faut peut quand",
    "it": "il lo gli di che per non come posso mio mia quando quanto dove è sono della del nel"
    " alla",
    "pt": "o os um uma não como posso meu minha quando quanto onde é são da do no na para com"
    " fazer",
    "nl": "het een van ik je mijn hoe wat kan niet waar wanneer hoeveel voor met op zijn is dit"
    " dat",
}


@lru_cache(4096)
def speaks(text: str, tag: str) -> bool:
    """Whether no other language has more of its small words in that text than this one."""
    words = set(_WORD.findall(text.lower()))
    own, others = _small_words(tag)
    known = len(words & own)
    return all(len(words & other) <= known for other in others)


@cache
def _small_words(tag: str) -> tuple[frozenset[str], tuple[frozenset[str], ...]]:
    words = {name: frozenset(text.split()) for name, text in _FOREIGN.items()}
    for name in languages():
        if language := language_of(name):
            words[name] = language.evidence
    return words.pop(tag), tuple(words.values())
