"""One request on its way to its answer: who asks for what, and what has come of it so far."""

from __future__ import annotations

from typing import Any, Protocol

from failsoft.attempt import Attempt
from failsoft.classify.verdict import Verdict
from failsoft.engine.request import Request
from failsoft.engine.runtime import Core
from failsoft.notices import Catalogue
from failsoft.policy.plan_events import Call, GiveUp

__all__ = ["Reader", "Turn"]


class Reader(Protocol):
    """Receives an answer while it comes. A plain answer has none."""

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the reader."""
        ...

    async def text(self, text: str) -> None:
        """Give out some text; waits while the reader is behind."""
        ...

    def hopping(self) -> None:
        """Another target is being tried."""
        ...

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        """The request waits before its next call."""
        ...


class Turn:
    """What the steps of the pipeline hand on: the request with its surroundings, and its ledger.

    ``call`` is the one that gave the answer, ``gave_up`` why there is none; both are ``None``
    before the end and where a saved answer was served before any call. ``ended_at`` is in monotonic
    seconds, ``hops`` counts the times that the request went on to another target, ``shown`` is the
    text given out so far.
    """

    __slots__ = (
        "attempts",
        "call",
        "catalogue",
        "core",
        "ended_at",
        "failures",
        "gave_up",
        "hops",
        "message",
        "reader",
        "request",
        "shown",
    )

    def __init__(
        self, core: Core, request: Request, catalogue: Catalogue, reader: Reader | None = None
    ) -> None:
        self.core = core
        self.request = request
        self.catalogue = catalogue
        self.reader = reader
        self.attempts: list[Attempt] = []
        self.failures: list[tuple[Verdict, Exception]] = []
        self.shown: list[str] = []
        self.message: dict[str, Any] = {}
        self.hops = 0
        self.call: Call | None = None
        self.gave_up: GiveUp | None = None
        self.ended_at = request.times.started_at

    def cause(self, verdict: Verdict | None) -> Exception | None:
        """What the provider raised that led to ``verdict``."""
        return next((error for known, error in self.failures if known is verdict), None)
