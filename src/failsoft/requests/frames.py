"""Server-sent events end to end, and where to go on in them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["after"]

_ID: Final = re.compile(rb"(?:\A|(?<=\n\n))id: (\d+)\n")


def after(data: bytes, event_id: int) -> bytes:
    """What comes after an event. Every frame begins with its ``id`` line and ends with a blank."""
    for found in _ID.finditer(data):
        if int(found[1]) > event_id:
            return data[found.start() :]
    return b""
