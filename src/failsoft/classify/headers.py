"""The few headers that bear on a failure, whatever they come in."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from failsoft.classify.foreign import HOSTILE, attribute, clip

__all__ = ["LIMIT_PREFIX", "read_headers"]

_KEPT: Final = frozenset(
    {
        "date",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-amzn-errortype",
        "x-amzn-requestid",
        "x-request-id",
    }
)
LIMIT_PREFIX: Final = "anthropic-ratelimit-"
"""What the headers of a limit begin with."""

_COUNT_LIMIT: Final = 500
_VALUE_LIMIT: Final = 200


def read_headers(raw: object) -> dict[str, str]:
    """Names in lower case to values; of a repeated header the first. Takes mappings and pairs."""
    found: dict[str, str] = {}
    try:
        for name, value in islice(_pairs(raw), _COUNT_LIMIT):
            key = (name if type(name) is str else clip(name, _VALUE_LIMIT)).lower()
            if key in _KEPT or key.startswith(LIMIT_PREFIX):
                found.setdefault(key, clip(value, _VALUE_LIMIT))
    except HOSTILE:  # what was read until then stands
        pass
    return found


def _pairs(raw: object) -> Iterable[Any]:
    items = attribute(raw, "items")
    if callable(items):
        pairs: Iterable[Any] = items()
        return pairs
    return raw if isinstance(raw, list | tuple) else ()
