"""All that a question names, in order, each under the preposition that it stands behind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.numbers import figure, numeral
from failsoft.degrade.guards.tokens import WORDS_KEPT, Token

__all__ = ["INFINITIVE", "MARK", "PLACED", "REVERSED", "Item", "items_of"]

# What no preposition of a language can be: "of" and its like, "in" and its like, "to" pay.
REVERSED = "<of>"
PLACED = "<at>"
INFINITIVE = "<to>"

# Before what a verb's ending tells of tense and person.
MARK = "~"


class Item(NamedTuple):
    """Something that the question names: what sort of thing, which, and the preposition above."""

    sort: str
    value: str
    under: str = ""


def items_of(words: list[Token], language: Language) -> Iterator[Item]:  # noqa: C901, PLR0912 - a table of cases
    """What the words name, one after another; the place of an "of" or an "in" is marked."""
    under, at = "", 0
    texts = [token.text for token in words]
    while at < len(words):
        word, start = texts[at], at
        at += 1
        if not word or word[0] == "#":
            under = ""
        elif words[start].named and word in language.small:
            yield Item("name", f"{word}^", under)
        elif word in language.stranded and _is_last(texts, start):
            yield Item("order", word)
        elif word in language.directed:
            if _infinitive(texts, start, language):
                under = INFINITIVE
            else:
                under = word
                yield Item("order", word, under)
        elif word in language.placed:
            under, item = _placed(texts, start, language)
            yield item
        elif word in language.reversing:
            yield Item(REVERSED, word, under)
        elif word in language.numbers:
            at, value = numeral(texts, start, language.numbers)
            yield Item("number", str(value), under)
        else:
            if word in language.verbs and language.separable and under not in language.clauses:
                under = ""  # the verb closes the bracket
            if plain := _item(word, under, language):
                yield plain


def _is_last(texts: list[str], at: int) -> bool:
    """Whether what it belongs to is what is asked for: "what do I pay for"."""
    after = texts[at + 1] if at + 1 < len(texts) else ""
    return not after or after.startswith("#")


@lru_cache(WORDS_KEPT)
def _item(text: str, under: str, language: Language) -> Item | None:
    if text in language.dropped or text in language.persons:
        return None
    if value := figure(text, language.decimal):
        return Item("number", value, under)
    key = language.key(text)
    sort = language.classes.get(text) or language.classes.get(key)
    if sort and text not in language.verbs:
        return Item(sort, language.units.get(key, key), under)
    settled = text in language.verbs or MARK in text
    return Item("content", text if settled else key, under)


def _infinitive(texts: list[str], at: int, language: Language) -> bool:
    """Whether this is the "to" of "to pay" rather than of "to Spain"."""
    after = texts[at + 1 : at + 3]
    return (
        texts[at] in language.particles
        and "from" not in texts
        and bool(after)
        and (after[0] in language.verbs or after[-1] in language.articles)
    )


def _placed(texts: list[str], at: int, language: Language) -> tuple[str, Item]:
    """In, on, at: said of a place they are one, before a figure each is itself."""
    after = texts[at + 1] if at + 1 < len(texts) else ""
    if figure(after, language.decimal) or after in language.numbers:
        return texts[at], Item("order", texts[at], texts[at])
    return PLACED, Item(REVERSED, PLACED, PLACED)
