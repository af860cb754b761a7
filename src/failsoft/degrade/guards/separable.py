"""Puts verbs together that German takes apart: "hole … ab" and "abzuholen" are "abholen"."""

from __future__ import annotations

import re

from failsoft.degrade.guards.courtesy import clauses
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.tokens import PAUSE, Token

__all__ = ["joined"]


def joined(words: list[Token], language: Language) -> list[Token]:
    """The words with every such verb in one piece, where its first part stood."""
    if not language.separable:
        return words
    return [word for clause in clauses(words) for word in [*_joined(clause, language), PAUSE]]


def _joined(clause: list[Token], language: Language) -> list[Token]:
    words = [_without_infix(word, language) for word in clause]
    last = next((at for at in range(len(words) - 1, -1, -1) if words[at].text), 0)
    if last and words[last].text in language.separable:
        for at in range(last - 1):
            if words[at + 1].text in language.persons and not words[at].text.startswith("#"):
                verb = Token(words[last].text + words[at].text)
                return [*words[:at], verb, *words[at + 1 : last], *words[last + 1 :]]
    return words


def _without_infix(word: Token, language: Language) -> Token:
    if "zu" in word.text and (infix := re.fullmatch(r"(\w+?)zu(\w+e?n)", word.text)):
        first, rest = infix.groups()
        if first in language.separable:
            return Token(first + rest)
    return word
