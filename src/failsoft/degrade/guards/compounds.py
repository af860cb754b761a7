"""Takes "Kreditantrag" for "Antrag auf einen Kredit" where the other says it in one word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from failsoft.degrade.guards.language import Language

__all__ = ["compounded"]

_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 3


def compounded(text: str, other: str, language: Language) -> str:
    """The text with each "head for a part" in one word where the other has that word."""
    if language.compound is None:
        return text
    for match in language.compound.finditer(text):
        head, part = match[1], match[2]
        for word in _WORD.findall(other.lower()):
            if _is_made_of(word, part.lower(), head.lower(), language):
                return f"{text[: match.start()]}{word}{text[match.end() :]}"
    return text


def _is_made_of(word: str, part: str, head: str, language: Language) -> bool:
    if word[:_SHORTEST] != part[:_SHORTEST]:
        return False
    head_key, part_key = language.key(head), language.key(part)
    return any(
        language.key(word[at:]) == head_key
        and any(language.key(one) == part_key for one in _parts(word[:at], language))
        for at in range(_SHORTEST, len(word) - _SHORTEST + 1)
    )


def _parts(joined: str, language: Language) -> Iterator[str]:
    """The word in front, without what links it to the next."""
    return (joined.removesuffix(link) for link in language.linking if joined.endswith(link))
