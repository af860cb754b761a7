"""Which requests are followed from here, so that not every look is written."""

from __future__ import annotations

import time

from failsoft.requests.log import FOLLOW_SECONDS

__all__ = ["Follows"]


class Follows:
    """When it was last written that a request is followed from this process."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}  # oldest first

    def due(self, request_id: str) -> bool:
        """Whether it is to be written again; counts as written then."""
        now = time.monotonic()
        if now - self._written.get(request_id, -FOLLOW_SECONDS) < FOLLOW_SECONDS / 3:
            return False
        self._written.pop(request_id, None)
        self._written[request_id] = now
        while now - next(iter(self._written.values())) > FOLLOW_SECONDS:
            del self._written[next(iter(self._written))]
        return True
