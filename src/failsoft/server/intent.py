"""What somebody means to be done once: the key of a request, and the fingerprint of its body."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from starlette.datastructures import Headers

from failsoft.server.problem import Problem

__all__ = ["fingerprint_of", "idempotency_key", "last_event_id"]

_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_EVENT_ID = re.compile(r"[0-9]{1,15}")


def idempotency_key(headers: Headers) -> str | None:
    """The key of ``Idempotency-Key``; the quoted form and the bare one are the same key.

    Raises :class:`~failsoft.server.problem.Problem` (400) for what is no key.
    """
    sent = headers.getlist("idempotency-key")
    if not sent:
        return None
    key = sent[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = re.sub(r'\\(["\\])', r"\1", key[1:-1])
    if len(sent) > 1 or not _KEY.fullmatch(key):
        raise Problem.of_field(
            400, "Idempotency-Key", "must be sent once, as 1 to 255 printable ASCII characters"
        )
    return key


def fingerprint_of(data: Any, *, stream: bool, simulated: str = "") -> bytes:
    """Equal for bodies that say the same, however they are spaced and their fields are ordered.

    ``simulated`` is what is to go wrong on purpose: another request than one that is to go well.
    """
    parts = [stream, data, simulated] if simulated else [stream, data]
    said = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


def last_event_id(headers: Headers) -> int:
    """The id of the last event a reader has, 0 for none; raises a Problem (400) for no number."""
    sent = headers.get("last-event-id", "").strip()
    if sent and not _EVENT_ID.fullmatch(sent):
        raise Problem.of_field(400, "Last-Event-ID", "must be the number of an event")
    return int(sent or 0)
