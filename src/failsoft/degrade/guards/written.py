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
    undotted = " ".join(language.dotted.get(word.lower(), word) for word in text.split())
    spelled = (_corrected(word, language) for word in tokens(undotted, capitals=language.capitals))
    words = [part for word in spelled for part in _spelled(word, language)]
    return list(_without_fillers(plainly(words, language), language))


def _corrected(word: Token, language: Language) -> Token:
    right = corrected(word.text, language)
    return word if right == word.text else Token(right, word.named)


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


def _without_fillers(spelled: list[Token], language: Language) -> Iterator[Token]:
    texts = ["" if token.named else token.text for token in spelled]
    at = 0
    while at < len(spelled):
        filler = language.fillers.find(texts, at)
        if filler is None:
            yield spelled[at]
        at = filler[0] if filler else at + 1
