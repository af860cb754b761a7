"""A question as words written out: no contraction, no slip of the finger, no filler."""

from __future__ import annotations

from collections.abc import Iterator

from failsoft.degrade.guards.courtesy import plainly
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.spelling import corrected
from failsoft.degrade.guards.tokens import Token, tokens

__all__ = ["written_out"]


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
