"""Rewrites a question before it is compared.

- Courtesy is left out: thanks, and "could you tell me" before a "how".
- Separable verbs are joined: "hole … ab" becomes "abholen", "turn it off" "turn off".
- Abbreviations: "date of birth" becomes DOB where only the other question has DOB.
- Compounds: "Antrag auf einen Kredit" becomes "Kreditantrag" where the other has it in one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from failsoft.ladder.paraphrase.language import Language
from failsoft.ladder.paraphrase.tokens import PAUSE, Token

__all__ = ["abbreviated", "clauses", "compounded", "joined", "plainly", "presently", "reunited"]

_YES_NO = Token("#yesno")
_ASKS = Token("?")


def plainly(words: list[Token], language: Language) -> list[Token]:
    """The words without the clauses that only greet, thank or beg pardon, and without lead-ins."""
    found = [_direct(clause, language) for clause in _sentences(words, language)]
    said = [clause for clause in found if not _polite(clause, language)]
    return [word for clause in said or found for word in [*clause, PAUSE]]


def _sentences(words: list[Token], language: Language) -> Iterator[list[Token]]:
    """The clauses, with a lead-in and what it leads to as one, whatever comma is between."""
    before: list[Token] = []
    for clause in clauses(words):
        if before and clause[0].text not in language.asking:
            yield before
            before = []
        if _lead([*before, *clause, _ASKS], language) == len(before) + len(clause):
            before = [*before, *clause]
        else:
            yield [*before, *clause]
            before = []
    if before:
        yield before


def clauses(words: list[Token]) -> Iterator[list[Token]]:
    """The words between two pauses."""
    clause: list[Token] = []
    for word in [*words, PAUSE]:
        if word.text:
            clause.append(word)
        elif clause:
            yield clause
            clause = []


def _polite(clause: list[Token], language: Language) -> bool:
    texts = {word.text for word in clause}
    return texts <= language.polite and not texts.isdisjoint(language.thanks)


def _direct(clause: list[Token], language: Language) -> list[Token]:
    """The question itself, of "do you happen to know whether …" and the like."""
    while len(clause) > 1 and clause[0].text in language.opening:
        clause = clause[1:]
    while (at := _lead(clause, language)) is not None:
        whether = clause[at].text in language.whether
        rest = clause[at + whether :]
        if not whether:
            return _direct(rest, language)
        clause = [_YES_NO, *rest] if _lead(rest, language) is None else rest
    return clause


def _lead(clause: list[Token], language: Language) -> int | None:
    """Where the question begins, if all that stands before only asks to be told."""
    told, before = False, ""
    for at, word in enumerate(clause):
        if at and told and (word is _ASKS or word.text in language.asking):
            return at
        if word.named or word.text not in language.leading:
            return None
        told = told or word.text in language.telling
        if before in language.told and language.persons.get(word.text) == "subjects_second":
            return None  # what is told to you is no question
        before = word.text
    return None


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


_SHORTEST = 3


def compounded(text: str, other: str, language: Language) -> str:
    """The text with each "head for a part" in one word where the other has that word."""
    if language.compound is None:
        return text
    for match in language.compound.finditer(text):
        head, part = match[1], match[2]
        for word in _WORD.findall(other.lower()):
            if _is_made_of(word, part.lower(), head.lower(), language):
                return f"{text[: match.start()]}{word}{text[match.end() :]}"
    return text


def _is_made_of(word: str, part: str, head: str, language: Language) -> bool:
    if word[:_SHORTEST] != part[:_SHORTEST]:
        return False
    head_key, part_key = language.key(head), language.key(part)
    return any(
        language.key(word[at:]) == head_key
        and any(language.key(one) == part_key for one in _parts(word[:at], language))
        for at in range(_SHORTEST, len(word) - _SHORTEST + 1)
    )


def _parts(joined: str, language: Language) -> Iterator[str]:
    """The word in front, without what links it to the next."""
    return (joined.removesuffix(link) for link in language.linking if joined.endswith(link))
