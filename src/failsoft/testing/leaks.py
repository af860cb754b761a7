"""What a person, or whoever reads a reply's bytes, must never find in it."""

from __future__ import annotations

import re
from typing import Final

from failsoft.notices.jargon import unfit_words
from failsoft.testing.cases import PLANTED

__all__ = ["raw_leaks", "unfit"]

_LEAST_CHARACTERS: Final = 20

_RAW: Final[dict[str, re.Pattern[str]]] = {
    "the provider's own words": re.compile(re.escape(PLANTED)),
    "the name of the provider or a model": re.compile(r"(?i)anthropic|claude-[\w.-]+"),
    "the provider's error type": re.compile(
        r"\b(overloaded|rate_limit|authentication|invalid_request|api)_error\b"
    ),
    "the provider's request id": re.compile(r"\breq_011C\w+"),
    "the text of an exception": re.compile(
        r"Traceback \(most recent|Error code: \d|\b[A-Z]\w+(Error|Exception)\b|<html"
        r"|Connection error\.|Request timed out"
    ),
    "a key": re.compile(r"(?i)x-api-key|\bsk-ant"),
}


def raw_leaks(raw: str) -> list[str]:
    """What is internal in the bytes of a reply, each kind once."""
    found = ((kind, pattern.search(raw)) for kind, pattern in _RAW.items())
    return [f"{kind} ({match[0]!r})" for kind, match in found if match]


def unfit(shown: str) -> list[str]:
    """What a message in English has that makes it unfit for a person, each kind once."""
    if len(shown.strip()) < _LEAST_CHARACTERS:
        return [f"is no message, only {shown.strip()!r}"]
    found: dict[str, str] = {}
    for kind, words in unfit_words(shown, language="en"):
        found.setdefault(kind, words)
    return [f"has {kind} ({words!r})" for kind, words in found.items()]
