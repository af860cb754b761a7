"""Whether two questions ask the same, as far as guards can tell: a wrong answer is worse than none.

Similar vectors say little: "open" and "close" lie as near to each other as two ways to say one
thing. So both questions are read (:mod:`failsoft.ladder.paraphrase.reading`), and any part of the
one that the other lacks is a difference. Anything not understood is a difference too.
"""

from __future__ import annotations

from functools import lru_cache

from failsoft.ladder.paraphrase.compare import (
    missing,
    same_order,
    spelled_alike,
    unlike_kinds,
    unlike_persons,
)
from failsoft.ladder.paraphrase.language import Language, language_of, speaks
from failsoft.ladder.paraphrase.reading import Reading, read
from failsoft.ladder.paraphrase.rewrite import abbreviated, compounded
from failsoft.ladder.paraphrase.tokens import plain

__all__ = ["difference", "normalized"]

_ENDS = " \t\n.,;:!?¡¿…\"'()"
_OF_FIGURES = "!\"'"  # 5! is 120, 5" an eighth of a metre, 5' one and a half

# A question is compared with several saved ones, and these with many.
_KEPT = 4096

# Characters. A longer text is a story, and no other question is the same. The work grows
# faster than the text.
_LONGEST = 300


def normalized(question: str) -> str:
    """The question without case, spacing, and the marks at its ends that change no figure."""
    spaced = " ".join(plain(question).casefold().split())
    ended = spaced.rstrip(_ENDS)
    mark = spaced[len(ended) :][:1]
    tells = mark and mark in _OF_FIGURES and ended[-1:].isdigit() and spaced[0] != mark
    return f"{ended}{mark if tells else ''}".lstrip(_ENDS)


def difference(asked: str, saved: str, *, locale: str = "en") -> str | None:
    """The name of the guard that separates them, ``None`` where none does.

    Without word lists for the locale, or where the text is in another language, only questions that
    are equal but for case and marks pass; the name is then "language". Of more than 300 characters,
    only equal ones pass; the name is then "length".
    """
    if max(len(asked), len(saved)) > _LONGEST:
        return None if asked == saved else "length"
    if normalized(asked) == normalized(saved):
        return None
    language = language_of(locale)
    if language is None or not (speaks(asked, language.tag) and speaks(saved, language.tag)):
        return "language"
    first, second = sorted((asked, saved))  # whichever is asked, the answer is one
    ours, theirs = first, second
    for shortened in (abbreviated, compounded):
        ours = shortened(ours, theirs, language)
        theirs = shortened(theirs, ours, language)
    return _apart(_read(ours, language), _read(theirs, language), language)


@lru_cache(_KEPT)
def _read(text: str, language: Language) -> Reading:
    return read(text, language)


def _apart(ours: Reading, theirs: Reading, language: Language) -> str | None:
    if not (ours.items and theirs.items):
        return "content"
    ours = spelled_alike(ours, theirs, language)
    return (
        missing(ours, theirs, language)
        or unlike_kinds(ours, theirs, language)
        or unlike_persons(ours, theirs)
        or (None if same_order(ours, theirs, language) else "order")
    )
