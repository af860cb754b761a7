"""An embedder that is loaded when it is first needed."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from failsoft.degrade.embedder import Embedder, WordllamaEmbedder

__all__ = ["Loading", "wordllama"]

_log = logging.getLogger(__name__)

# Wordllama takes 0.5 s, with its imports a second or two. What needs it does not wait any longer.
_PATIENCE_SECONDS = 2.0
_LEAVE_SECONDS = 10.0


def wordllama() -> Embedder:
    """The embedder of the extra ``cache``, loaded. Raises SettingError without the extra."""
    embedder = WordllamaEmbedder()
    embedder.load()
    return embedder


class Loading:
    """Loads in a thread of its own, so that what needs no embedder does not wait for it."""

    def __init__(self, given: Embedder | Callable[[], Embedder] | None) -> None:
        self._given = given
        self._begun: float | None = None
        self._thread: threading.Thread | None = None
        self._over = self._settled = given is None
        self.embedder: Embedder | None = None
        self.problem = "switched off" if given is None else ""

    def settled(self) -> bool:
        """Whether there was nothing to wait for at the last look; begins to load where needed."""
        if self._begun is None and not self._over:
            self._begun = time.monotonic()
            self._thread = threading.Thread(
                target=self._load, name="failsoft-embedder", daemon=True
            )
            self._thread.start()
        return self._settled

    def close(self) -> None:
        """Let it end: a process that ends while native code is being loaded is aborted."""
        if self._thread is not None:
            self._thread.join(_LEAVE_SECONDS)

    def look(self) -> None:
        """Look whether it is there, or has taken too long."""
        begun = math.inf if self._begun is None else self._begun
        self._settled = self._over or time.monotonic() - begun > _PATIENCE_SECONDS

    def _load(self) -> None:
        from failsoft.degrade.same import difference  # noqa: PLC0415 - slow, and not always used

        try:
            given = self._given
            embedder = given() if callable(given) else given
            if embedder is not None:
                embedder.embed("ready")
                difference(
                    "Is it ready?", "Are they ready?"
                )  # which reads its words at the first call
            self.embedder = embedder
        except Exception as error:  # noqa: BLE001 - same questions are found without it
            self.problem = str(error)
            _log.warning("cache_embedder_failed", extra={"fields": {"problem": self.problem}})
        self._over = True
