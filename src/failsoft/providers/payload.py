"""JSON out and in, such that no text can make it fail.

A lone surrogate is a character that no encoding can carry. It is replaced in both directions: in a
request it would fail the call, in a reply it would fail later, in a log or in another reply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["encode", "parse", "parsed", "unwrapped"]


def parsed(text: str) -> Any:
    """The value of a JSON text, ``None`` for what is none."""
    try:
        return parse(text)
    except ValueError:
        return None


def unwrapped(value: Any) -> Any:
    """What a list of one holds, as Google sends its errors; any other value as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def encode(body: Mapping[str, Any]) -> bytes:
    """``body`` as JSON in UTF-8.

    Raises :class:`ValueError` for NaN and infinity, which JSON does not have, and for a structure
    that contains itself, :class:`TypeError` for what has no JSON form.
    """
    return _to_text(body).encode(errors="replace")


def parse(text: str) -> Any:
    """The value of a JSON text. Raises :class:`ValueError` for anything else.

    As the provider's SDK does, it reads over a byte order mark, and takes NaN and infinity, which
    JSON does not have; here they are ``None``, so that they can be written again.
    """
    text = text.removeprefix("\ufeff").strip()
    try:
        value, end = _from_text(text)
        if end != len(text):
            raise ValueError("there is more than one JSON value")
        if "\\ud" in text or "\\uD" in text:  # an escaped surrogate, alone or in a pair
            value, _ = _from_text(_to_text(value).encode(errors="replace").decode())
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    return value


_to_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_from_text = json.JSONDecoder(parse_constant=lambda _: None).raw_decode
