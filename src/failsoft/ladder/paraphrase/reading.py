"""Reads a question: what kind it is, who does it, and all that it names, in order.

Whatever is not known to mean nothing stays in the reading, and two readings are of one question
only when they are equal. So an unforeseen word can cost a hit, but never make one.

The steps: the text is written out (no contraction, typing slip or filler), numerals become values,
words that mean the same become one, then come the voice (I or you; done, was done or undergone) and
the items, each under the preposition that it stands behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from failsoft.ladder.paraphrase.language import Language
from failsoft.ladder.paraphrase.rewrite import joined, plainly, presently, reunited
from failsoft.ladder.paraphrase.spelling import corrected
from failsoft.ladder.paraphrase.tokens import PAUSE, WORDS_KEPT, Token, tokens

__all__ = [
    "ACTORS",
    "BARE",
    "INFINITE",
    "INFINITIVE",
    "MARK",
    "NOMINAL",
    "PAST",
    "PLACED",
    "REVERSED",
    "THING",
    "UNDERGONE",
    "Item",
    "Reading",
    "bag",
    "figure",
    "forms",
    "items_of",
    "kinds_in",
    "numeral",
    "persons",
    "phrased",
    "read",
    "understood",
    "written_out",
]


_FIGURE = re.compile(r"-?\d")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_HUNDRED = 100


def figure(word: str, decimal: str) -> str | None:
    """The value of a word of digits, ``None`` for any other: 1,000 and 1000, 2.50 and 2.5."""
    if not _FIGURE.match(word):
        return None
    if ordinal := _ORDINAL.fullmatch(word):
        return ordinal[1]
    thousands = "," if decimal == "." else "."
    if re.fullmatch(
        rf"-?\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{re.escape(decimal)}\d+)?", word
    ):
        word = word.replace(thousands, "")
    if re.fullmatch(rf"-?\d+{re.escape(decimal)}\d+", word):
        whole, _, rest = word.partition(decimal)
        rest = rest.rstrip("0")
        return f"{whole.lstrip('0') or '0'}.{rest}" if rest else whole.lstrip("0") or "0"
    return word.lstrip("0") or "0" if word.isdigit() else word


def numeral(words: Sequence[str], at: int, numbers: Mapping[str, int]) -> tuple[int, int]:
    """Where the numeral that begins there ends, and its value: two hundred (and) fifty."""
    total = part = 0
    end, last = at, 0
    while end < len(words) and (value := numbers.get(words[end])) is not None:
        if value >= _HUNDRED:
            part = (part or 1) * value
            if value > _HUNDRED:
                total, part = total + part, 0
        elif end > at and (not _follows(value, last)):
            break
        else:
            part += value
        end, last = end + 1, value
    return end, total + part


def _follows(value: int, last: int) -> bool:
    """Whether it is the next place of the same number: five after twenty, not five after two."""
    return last >= _HUNDRED or (last >= 20 and last % 10 == 0 and value < 10)  # noqa: PLR2004


# What no preposition of a language can be: "of" and its like, "in" and its like, "to" pay.
REVERSED = "<of>"
PLACED = "<at>"
INFINITIVE = "<to>"

# Before the tense and person in a verb's ending.
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


UNDERGONE = "undergone"
PAST = "past"
ACTORS = frozenset({"subjects_first", "subjects_second"})

# So many words before a participle, its auxiliary stands.
_NEAR = 5


def persons(words: list[Token], language: Language) -> Iterator[str]:
    """Whose the question is: I, you, me, my; "owner" for a "my" that is itself asked for."""
    subject = before = ""
    for word in words:
        if kind := language.persons.get(word.text):
            tells = language.persons.get(subject) in ACTORS  # "I have my", where "have my" asks
            asked = before.startswith("#") or (before in language.auxiliaries and not tells)
            yield "owner" if kind == "owners_first" and asked else kind
        subject, before = before, word.text


def forms(words: list[Token], language: Language) -> Iterator[str]:
    """Whether something is paid, or a person has paid, rather than pays."""
    texts = [word.text for word in words]
    done = [at for at, text in enumerate(texts) if at and _is_participle(text, language)]
    if any(text in language.be for at in done for text in texts[max(at - _NEAR, 0) : at]):
        yield UNDERGONE
    if any(not language.helping.intersection(texts[max(at - _NEAR, 0) : at]) for at in done):
        yield PAST


@lru_cache(WORDS_KEPT)
def _is_participle(word: str, language: Language) -> bool:
    return word in language.participles or bool(language.past and language.past.search(word))


def written_out(text: str, language: Language) -> list[Token]:
    """The words of a question, without what is only said for politeness."""
    undotted = [language.dotted.get(word.lower(), word) for word in text.split()]
    words = list(_spelled(tokens(undotted, capitals=language.capitals), language))
    return _without_fillers(plainly(words, language), language)


def _spelled(words: list[Token], language: Language) -> Iterator[Token]:
    for word in words:
        text = corrected(word.text, language)
        token = word if text == word.text else Token(text, word.named)
        if "'" in text or text in language.contractions:
            yield from _long(token, language)
        else:
            yield token


def _long(token: Token, language: Language) -> Iterator[Token]:
    if long := language.contractions.get(token.text):
        yield from map(Token, long)
        return
    for ending, long in language.contractions.items():
        attached = not ending[0].isalpha() or ending == "n't"
        if attached and len(token.text) > len(ending) and token.text.endswith(ending):
            yield Token(token.text.removesuffix(ending))
            yield from map(Token, long)
            return
    if token.text.endswith("'s"):
        token = token._replace(text=token.text.partition("'")[0])
    yield token


def _without_fillers(words: list[Token], language: Language) -> list[Token]:
    texts = ["" if token.named else token.text for token in words]
    return [words[at] for at, filler in language.fillers.cut(texts) if filler is None]


BARE = Token("#bare")
_START = "<s>"
_WHEN = "#when"
_DOING = frozenset({"#how", "#where"})


def kinds_in(words: list[Token]) -> set[str]:
    """The kinds of question that stand among the words, like ``#how``."""
    return {word.text for word in words if word.text[:1] == "#"}


def phrased(said: list[Token], language: Language) -> list[Token]:
    """The words with what each phrase stands for in its place."""
    words = [PAUSE, *said]
    texts = ["" if token.named else token.text or _START for token in words]
    found: list[Token] = []
    for at, phrase in language.phrases.cut(texts):
        if phrase is None:
            found.append(words[at])
        else:
            found += map(Token, phrase)
    return found


def understood(words: list[Token], language: Language, *, asks: bool) -> list[Token]:
    """One word for each meaning; ``asks`` where the words ask already by how they begin."""
    found = list(_meant(words, language))
    if any(word.text == _WHEN for word in found):
        found = list(_subordinated(found, language))
    if not asks and not kinds_in(found):
        found.insert(0, BARE)
    return _rewritten(found, language)


def _meant(words: list[Token], language: Language) -> Iterator[Token]:
    words = presently(reunited(joined(words, language), language), language)
    keys = [language.key(token.text) for token in words]
    for at, meaning in language.meanings.cut(keys):
        word = words[at]
        mark = _mark(word.text, language.conjugated, language) if language.conjugated else ""
        noun = meaning is not None and meaning[0] not in language.verbs
        if mark == MARK and (noun or _impersonal(words, at, language)):
            mark = ""
        if meaning or mark:
            plain = keys[at] if mark == MARK and not language.present else word.text
            word = Token((meaning[0] if meaning else plain) + mark, word.named)
        yield word


def _impersonal(words: list[Token], at: int, language: Language) -> bool:
    """Whether somebody is told how one does it, be it the one who asks or not."""
    before = [word.text for word in words[max(at - 2, 0) : at]]
    return len(before) > 1 and before[0] in _DOING and before[1] in language.impersonal


def _mark(word: str, conjugated: re.Pattern[str], language: Language) -> str:
    """A mark for another's doing or another time, where the verb alone shows them."""
    if word[:1] == "#" or word in language.listed or word in language.grammar:
        return ""
    if language.present and f"{word}n" in language.listed:
        return ""
    found = conjugated.search(word)
    if found is None:
        return ""
    return f"{MARK}{found[1]}" if found.lastindex else MARK


def _subordinated(words: list[Token], language: Language) -> Iterator[Token]:
    """A "when" that asks nothing, next to something that asks, is a condition."""
    kinds = kinds_in(words) - {_WHEN}
    for word, after in pairwise([*words, PAUSE]):
        asks = after.text in language.auxiliaries or after.text.startswith("#") or not after.text
        yield Token("when") if word.text == _WHEN and kinds and not asks else word


def _rewritten(words: list[Token], language: Language) -> list[Token]:
    there = {token.text for token in words}
    for left, right in language.rewrites:
        if not there.issuperset(left):
            continue
        texts = [token.text for token in words]
        rest = {text for text in texts if text not in left} - language.dropped
        names_something = any(text and text[0] != "#" for text in (*rest, *right))
        if names_something and all(texts.count(part) >= left.count(part) for part in left):
            place = min(texts.index(part) for part in left)
            for part in left:
                del words[next(at for at, token in enumerate(words) if token.text == part)]
            words[place:place] = map(Token, right)
            there = {token.text for token in words}
    return words


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
