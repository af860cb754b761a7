"""JSON as it goes out."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

__all__ = ["JsonResponse", "json_bytes"]

# Made once: json.dumps would make one for every event of every stream.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_bytes(content: Any) -> bytes:
    """Compact UTF-8 JSON.

    Text may hold half of a surrogate pair (a model's, cut between two events); UTF-8 has no bytes
    for it, JSON's escapes do.
    """
    try:
        return _encode(content).encode()
    except UnicodeEncodeError:
        return json.dumps(content).encode()


class JsonResponse(Response):
    """A reply in compact JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Give the body as JSON."""
        return json_bytes(content)
