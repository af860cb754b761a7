"""Who does it in a question: I or you, and whether it is done, was done, or is undergone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.tokens import WORDS_KEPT, Token

__all__ = ["ACTORS", "PAST", "UNDERGONE", "forms", "persons"]

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
    """Whether something is paid, or somebody has paid, rather than pays."""
    texts = [word.text for word in words]
    done = [at for at, text in enumerate(texts) if at and _is_participle(text, language)]
    if any(text in language.be for at in done for text in texts[max(at - _NEAR, 0) : at]):
        yield UNDERGONE
    if any(not language.helping.intersection(texts[max(at - _NEAR, 0) : at]) for at in done):
        yield PAST


@lru_cache(WORDS_KEPT)
def _is_participle(word: str, language: Language) -> bool:
    return word in language.participles or bool(language.past and language.past.search(word))
