"""Reads a question: what kind it is, who does it, and all that it names, in order.

Whatever is not known to mean nothing stays in the reading, and two readings are of one question
only when they are equal. So a word that nobody thought of can cost a hit, but never make one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from failsoft.degrade.guards.items import REVERSED, Item, items_of
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.sense import BARE, kinds_in, phrased, understood
from failsoft.degrade.guards.tokens import PAUSE, Token
from failsoft.degrade.guards.voice import ACTORS, forms, persons
from failsoft.degrade.guards.written import written_out

__all__ = ["INFINITE", "NOMINAL", "THING", "Reading", "bag", "read"]

# Asked by an adjective: "is a refund possible".
NOMINAL = "#nominal"
# Asked by an infinitive alone: "Adresse ändern".
INFINITE = "infinite"
# Asked by the name of a thing, with its article: "die Bestellung".
THING = "thing"
_YES_NO = "#yesno"
_MODALS = frozenset({"#can", "#must", "#should"})


class Reading(NamedTuple):
    """A question as the guards see it; the kinds are ``#how``, ``#when`` and the like."""

    kinds: frozenset[str]
    persons: frozenset[str]
    names: frozenset[str]
    items: tuple[Item, ...]
    bag: tuple[tuple[str, str], ...]
    """What the items name, sorted: the sort and the value of each."""


def read(text: str, language: Language) -> Reading:
    """Read a question in that language."""
    words = written_out(text, language)
    asks = next((word.text for word in words if word.text), "") in language.auxiliaries
    spoken = phrased(words, language)
    meant = understood(spoken, language, asks=asks)
    names = frozenset(language.key(word.text) for word in words if word.named)
    items = tuple(items_of(_turned(meant), language))
    who = {*persons(meant, language), *forms(spoken, language)}
    kinds = kinds_in(meant) - {BARE.text}
    if NOMINAL in kinds:
        kinds.remove(NOMINAL)
        who.add(NOMINAL)
    if not (asks or kinds):
        who |= _bare(words, meant, language)
    if asks or kinds:
        kinds = kinds - {_YES_NO} or {_YES_NO}
    return Reading(frozenset(kinds), frozenset(who), names, items, bag(items))


def _bare(words: list[Token], meant: list[Token], language: Language) -> set[str]:
    """Whether these words without a question are a thing or, without a subject, an infinitive."""
    said = [word.text for word in words if word.text]
    known = [word.text for word in meant if word.text and word != BARE]
    if not (said and known):
        return set()
    if said[0] in language.dropped or language.persons.get(said[0]) == "owners_first":
        return {THING}
    place = -1 if language.separable else 0
    infinitive = language.infinitive is not None and language.infinitive.search(said[place])
    alone = ACTORS.isdisjoint(persons(meant, language))
    return {INFINITE} if infinitive and alone and known[place] in language.verbs else set()


def bag(items: Iterable[Item]) -> tuple[tuple[str, str], ...]:
    """What they name, in an order of its own."""
    return tuple(sorted((item.sort, item.value) for item in items if item.sort != REVERSED))


def _turned(words: list[Token]) -> list[Token]:
    """The question first, and then what was said before it: "abroad, how do I pay"."""
    asks = next((at for at, word in enumerate(words) if word.text.startswith("#")), 0)
    if words[asks].text in _MODALS and all(word.text for word in words[1:asks]):
        return words  # who may do it stands before or behind the "may"
    return [*words[asks:], PAUSE, *words[:asks]]
