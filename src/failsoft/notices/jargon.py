"""What a text says that no text for a person may say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from failsoft.notices.unfit import EVERYWHERE, OF_LANGUAGE

__all__ = ["still_trying", "unfit_words"]

# Japanese and Arabic join their words to Latin ones without a space ("APIエラー"): the edge of a
# word is where Latin letters begin or end.
_LATIN = r"[0-9A-Za-z_\u00c0-\u024f]"
_EDGE = rf"(?:(?<!{_LATIN})(?={_LATIN})|(?<={_LATIN})(?!{_LATIN}))"

# Only a statement that something is being tried: to ask a person to try is what giving up says.
_STILL_TRYING = {
    "en": r"\b(is|are|being) (still )?(trying|tried)\b|\bwill try\b",
    "es": r"\b(est[áa]n?|estamos|sigue|seguimos) (probando|intentando)|\bvolver(á|emos) a intentar",
    "de": r"\b(versucht|probiert|(versuchen|probieren) wir|wir (versuchen|probieren))\b",
    "fr": r"\b(r[ée])?essa(ie|ye|iera|yera)\b|\b(nous (r[ée])?essa[iy]|en train d.essayer)",
    "ja": r"試し(てい|ま)|試みて(い|お)|再試行(中|して)",
    "ar": r"(?<!\w)(س?ي|س?ن|ت)حاول|جار[ٍي]ة? (إعادة )?المحاولة|ستُ?عاد المحاولة",
}


def unfit_words(text: str, *, language: str) -> Iterator[tuple[str, str]]:
    """What stands in ``text`` that a person should not read: its kind, and the words themselves.

    ``language`` is a tag without a region. One without a table of its own is held to what is
    jargon everywhere.
    """
    for kind, pattern in _patterns(language):
        for match in pattern.finditer(text):
            yield kind, match[0]


def still_trying(text: str, *, language: str) -> str | None:
    """The words that say that something is still being tried; ``None`` where there are none."""
    pattern = _STILL_TRYING.get(language)
    found = re.search(pattern, text, re.IGNORECASE) if pattern else None
    return found[0] if found else None


@cache
def _patterns(language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (kind, re.compile(pattern.replace(r"\b", _EDGE), re.IGNORECASE))
        for table in (EVERYWHERE, OF_LANGUAGE.get(language, {}))
        for kind, pattern in table.items()
    )
