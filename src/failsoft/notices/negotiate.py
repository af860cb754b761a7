"""Which language a browser asked for (RFC 9110, Accept-Language; RFC 4647, lookup)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

__all__ = ["best_language", "nearest"]

# Real headers are a few dozen characters, real tags a dozen; what is longer is not read to its end.
_MAX_CHARS = 1000
_MAX_TAG_CHARS = 64
_RANGE = re.compile(
    r"(?P<tag>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)"
    r"(?:[ \t]*;[ \t]*q=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)


def nearest(tag: str, available: Collection[str]) -> str | None:
    """The language itself, or the one left when regions are dropped: es-MX → es."""
    subtags = tag[:_MAX_TAG_CHARS].lower().replace("_", "-").split("-")
    shorter = ("-".join(subtags[:n]) for n in range(len(subtags), 0, -1))
    return next((each for each in shorter if each in available), None)


def best_language(header: str, available: Collection[str]) -> str | None:
    """The available language that the header likes best, ``None`` if it names none.

    What is not a language range is skipped; ``*`` names none; nothing a header says raises.
    """
    wanted = sorted(_ranges(header), key=lambda each: -each[1])
    refused = {tag for tag, quality in wanted if quality == 0}
    found = (nearest(tag, available) for tag, quality in wanted if quality > 0)
    return next((each for each in found if each and each not in refused), None)


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    parts = header[:_MAX_CHARS].lower().split(",")
    for part in parts if len(header) <= _MAX_CHARS else parts[:-1]:
        match = _RANGE.fullmatch(part.strip(" \t"))
        if match:
            yield match["tag"], float(match["q"] or 1)
