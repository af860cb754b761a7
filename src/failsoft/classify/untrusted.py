"""Read objects of unknown make: an attribute may raise, lie, or be enormous."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["HOSTILE", "attribute", "clip", "field", "status_number"]

HOSTILE: Final = (Exception, CancelledError, GeneratorExit)
"""What a foreign object may raise at us. KeyboardInterrupt and SystemExit are the process's own."""


def attribute(thing: object, name: str) -> Any:
    """``thing.name``, or ``None`` where there is none or it cannot be read."""
    try:
        return getattr(thing, name, None)
    except HOSTILE:
        return None


def field(thing: object, name: str) -> Any:
    """The item ``name`` of a mapping, or the attribute of anything else; ``None`` if missing."""
    if type(thing) is dict:  # what JSON is parsed into, and much cheaper to tell than a Mapping
        return thing.get(name)
    if not isinstance(thing, Mapping):
        return attribute(thing, name)
    try:
        return thing.get(name)
    except HOSTILE:
        return None


def clip(value: object, limit: int) -> str:
    """At most ``limit`` characters of a text or of bytes; empty for anything else."""
    if isinstance(value, str):
        return str(value[:limit])
    if isinstance(value, bytes | bytearray):
        return bytes(value[:limit]).decode("utf-8", "replace")
    return ""


def status_number(value: object) -> int | None:
    """An HTTP status given as a number or as three digits; ``None`` for anything else."""
    if isinstance(value, str):
        return int(value) if len(value) == 3 and value.isascii() and value.isdigit() else None  # noqa: PLR2004 - an HTTP status has three digits
    if not isinstance(value, int):
        return None
    return int(value) if 100 <= value <= 999 else None  # noqa: PLR2004 - the range of a status
