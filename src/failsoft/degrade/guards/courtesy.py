"""Leaves out what is said for politeness: thanks, and "could you tell me" before a "how"."""

from __future__ import annotations

from collections.abc import Iterator

from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.tokens import PAUSE, Token

__all__ = ["clauses", "plainly"]

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
