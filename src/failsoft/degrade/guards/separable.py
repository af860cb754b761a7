"""Puts verbs together that are said apart: "hole … ab" is "abholen", "turn it off" "turn off"."""

from __future__ import annotations

import re

from failsoft.degrade.guards.courtesy import clauses
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.tokens import PAUSE, Token

__all__ = ["joined", "presently", "reunited"]

# So many words behind a verb, its particle stands.
_FAR = 6


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


def presently(words: list[Token], language: Language) -> list[Token]:
    """The words with "one books" as "to book", where no participle of that form can be meant."""
    if not language.present or any(word.text in language.helping for word in words):
        return words
    return [
        word._replace(text=language.present[word.text]) if word.text in language.present else word
        for word in words
    ]


def reunited(words: list[Token], language: Language) -> list[Token]:
    """The words with "turn it off" as "turn off it"."""
    found = list(words)
    for at, word in enumerate(words):
        particles = language.particled.get(language.key(word.text)) if word.text else None
        if particles and (place := _particle(words, at, particles, language)):
            found.insert(at + 1, found.pop(place))
            return found
    return found


def _particle(words: list[Token], at: int, particles: frozenset[str], language: Language) -> int:
    """Where the verb's particle stands apart from it, 0 where it does not."""
    for place in range(at + 1, min(at + _FAR, len(words))):
        text = words[place].text
        after = words[place + 1].text if place + 1 < len(words) else ""
        ends = not after or after[0] == "#" or after in language.directed | language.stranded
        if text in particles and ends:
            return place if place > at + 1 else 0
        if not text or text[0] == "#":
            return 0
    return 0
