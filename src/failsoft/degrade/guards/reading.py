"""Reads a question: what kind it is, and all that it names, in order.

Whatever is not known to mean nothing stays in the reading, and two readings are of one question
only when they are equal. So a word that nobody thought of can cost a hit, but never make one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from failsoft.degrade.guards.courtesy import plainly
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.numbers import figure, numeral
from failsoft.degrade.guards.separable import joined
from failsoft.degrade.guards.spelling import corrected
from failsoft.degrade.guards.tokens import PAUSE, Token, tokens

__all__ = [
    "INFINITIVE",
    "NOMINAL",
    "PAST",
    "PLACED",
    "REVERSED",
    "UNDERGONE",
    "Item",
    "Reading",
    "bag",
    "read",
]

REVERSED = "<of>"
PLACED = "<at>"
_YES_NO = "#yesno"
_WHEN = "#when"
_START = "<s>"
UNDERGONE = "undergone"
NOMINAL = "#nominal"
PAST = "past"
_NEAR = 5
_BARE = Token("#bare")
INFINITIVE = "<to>"


class Item(NamedTuple):
    """Something that the question names: what sort of thing, which, and the preposition above."""

    sort: str
    value: str
    under: str = ""


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
    undotted = " ".join(language.dotted.get(word.lower(), word) for word in text.split())
    spelled = (_corrected(word, language) for word in tokens(undotted, capitals=language.capitals))
    words = plainly([part for word in spelled for part in _spelled(word, language)], language)
    words = list(_without_fillers(words, language))
    first = next((word.text for word in words if word.text), "")
    asks = first in language.auxiliaries
    named = list(_phrased(words, language))
    understood = list(_subordinated(list(_understood(named, language)), language))
    if not asks and not any(word.text.startswith("#") for word in understood):
        understood.insert(0, _BARE)
    raw = _rewritten(understood, language)
    kinds = {word.text for word in raw if word.text.startswith("#")} - {_BARE.text}
    kinds = kinds - {_YES_NO} or ({_YES_NO} if asks or kinds else set())
    persons = frozenset((*_persons(raw, language), *_forms(named, language)))
    if NOMINAL in kinds:
        kinds, persons = kinds - {NOMINAL}, persons | {NOMINAL}
    names = frozenset(language.key(word.text) for word in words if word.named)
    items = tuple(_items(_turned(raw), language))
    return Reading(frozenset(kinds), persons, names, items, bag(items))


def bag(items: Iterable[Item]) -> tuple[tuple[str, str], ...]:
    """What they name, in an order of its own."""
    return tuple(sorted((item.sort, item.value) for item in items if item.sort != REVERSED))


def _persons(words: list[Token], language: Language) -> Iterator[str]:
    before = ""
    for word in words:
        if kind := language.persons.get(word.text):
            asked = before.startswith("#") or before in language.auxiliaries
            yield "owner" if kind == "owners_first" and asked else kind
        before = word.text


def _turned(words: list[Token]) -> list[Token]:
    """The question first, and then what was said before it: "abroad, how do I pay"."""
    asks = next((at for at, word in enumerate(words) if word.text.startswith("#")), 0)
    return [*words[asks:], PAUSE, *words[:asks]]


def _forms(words: list[Token], language: Language) -> Iterator[str]:
    """Whether something is paid, or somebody has paid, rather than pays."""
    texts = [word.text for word in words]
    done = [at for at, text in enumerate(texts) if at and _is_participle(text, language)]
    if any(text in language.be for at in done for text in texts[max(at - _NEAR, 0) : at]):
        yield UNDERGONE
    if any(not language.helping.intersection(texts[max(at - _NEAR, 0) : at]) for at in done):
        yield PAST


def _is_participle(word: str, language: Language) -> bool:
    return word in language.participles or bool(language.past and language.past.search(word))


def _without_fillers(spelled: list[Token], language: Language) -> Iterator[Token]:
    texts = ["" if token.named else token.text for token in spelled]
    at = 0
    while at < len(spelled):
        filler = language.fillers.find(texts, at)
        if filler is None:
            yield spelled[at]
        at = filler[0] if filler else at + 1


def _spelled(token: Token, language: Language) -> Iterator[Token]:
    if long := language.contractions.get(token.text):
        yield from map(Token, long)
        return
    word, apostrophe, _ = token.text.partition("'")
    if not apostrophe:
        yield token
        return
    for ending, long in language.contractions.items():
        attached = not ending[0].isalpha() or ending == "n't"
        if attached and len(token.text) > len(ending) and token.text.endswith(ending):
            yield Token(token.text.removesuffix(ending))
            yield from map(Token, long)
            return
    yield token._replace(text=word) if token.text.endswith("'s") else token


def _phrased(said: list[Token], language: Language) -> Iterator[Token]:
    words = [PAUSE, *said]
    texts = ["" if token.named else token.text or _START for token in words]
    at = 0
    while at < len(words):
        phrase = language.phrases.find(texts, at)
        if phrase is None:
            yield words[at]
            at += 1
        else:
            at = phrase[0]
            yield from map(Token, phrase[1])


def _understood(words: list[Token], language: Language) -> Iterator[Token]:
    """One word for each meaning, the key for each other word that is none of grammar's."""
    words = joined(words, language)
    keys = [language.key(token.text) for token in words]
    at = 0
    while at < len(words):
        start, meaning = at, language.meanings.find(keys, at)
        if meaning is not None:
            at = meaning[0]
            value = meaning[1][0]
        else:
            value = words[at].text
            at += 1
        yield Token(value + _conjugated(words[start].text, language), words[start].named)


def _corrected(word: Token, language: Language) -> Token:
    right = corrected(word.text, language)
    return word if right == word.text else Token(right, word.named)


def _conjugated(word: str, language: Language) -> str:
    """A mark for another's doing or another time, where the verb alone tells them."""
    if word.startswith("#") or word in language.listed or word in language.grammar:
        return ""
    return next((mark for mark, ending in language.conjugated if ending.search(word)), "")


def _subordinated(words: list[Token], language: Language) -> Iterator[Token]:
    """A "when" that asks nothing, beside something that asks, is a condition."""
    kinds = {word.text for word in words if word.text.startswith("#")} - {_WHEN}
    for word, after in zip(words, [*words[1:], PAUSE], strict=True):
        asks = after.text in language.auxiliaries or after.text.startswith("#") or not after.text
        yield Token("when") if word.text == _WHEN and kinds and not asks else word


def _rewritten(words: list[Token], language: Language) -> list[Token]:
    there = {token.text for token in words}
    for left, right in language.rewrites:
        if not there.issuperset(left):
            continue
        texts = [token.text for token in words]
        if all(texts.count(part) >= left.count(part) for part in left):
            place = min(texts.index(part) for part in left)
            for part in left:
                del words[next(at for at, token in enumerate(words) if token.text == part)]
            words[place:place] = map(Token, right)
            there = {token.text for token in words}
    return words


def _items(words: list[Token], language: Language) -> Iterator[Item]:  # noqa: C901 - a table of cases
    under, at = "", 0
    texts = [token.text for token in words]
    while at < len(words):
        word, start = words[at], at
        at += 1
        if not word.text or word.text.startswith("#"):
            under = ""
        elif word.named and word.text in language.small:
            yield Item("name", f"{word.text}^", under)
        elif word.text in language.directed:
            if _infinitive(texts, start, language):
                under = INFINITIVE
            else:
                under = word.text
                yield Item("order", word.text, under)
        elif word.text in language.placed:
            under, item = _placed(texts, start, language)
            yield item
        elif word.text in language.reversing:
            yield Item(REVERSED, word.text, under)
        elif number := numeral(texts, start, language.numbers):
            at, value = number
            yield Item("number", str(value), under)
        else:
            if word.text in language.verbs and language.separable and under not in language.clauses:
                under = ""  # the verb closes the bracket
            if plain := _item(word, language, under):
                yield plain


def _item(word: Token, language: Language, under: str) -> Item | None:
    text = word.text
    if text in language.dropped or text in language.persons:
        return None
    if value := figure(text, language.decimal):
        return Item("number", value, under)
    key = language.key(text)
    sort = language.classes.get(text) or language.classes.get(key)
    if sort:
        return Item(sort, language.units.get(key, key), under)
    return Item("content", text if text in language.verbs else key, under)


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
