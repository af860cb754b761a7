"""What words mean together: which kind of question, and one word for all that mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from failsoft.degrade.guards.items import MARK
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.separable import joined, presently, reunited
from failsoft.degrade.guards.tokens import PAUSE, Token

__all__ = ["BARE", "kinds_in", "phrased", "understood"]

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
    """A mark for another's doing or another time, where the verb alone tells them."""
    if word[:1] == "#" or word in language.listed or word in language.grammar:
        return ""
    if language.present and f"{word}n" in language.listed:
        return ""
    found = conjugated.search(word)
    if found is None:
        return ""
    return f"{MARK}{found[1]}" if found.lastindex else MARK


def _subordinated(words: list[Token], language: Language) -> Iterator[Token]:
    """A "when" that asks nothing, beside something that asks, is a condition."""
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
