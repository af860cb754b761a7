"""The record of what a request tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from failsoft.classify.verdict import Sent, Verdict

__all__ = ["Attempt", "AttemptOutcome"]

AttemptOutcome = Literal["success", "failure", "cancelled"]


class Attempt(NamedTuple):
    """One call to one target, as it ended.

    ``started_seconds`` is counted from the request's start, ``wait_seconds`` is what the request
    waited just before; ``verdict`` is ``None`` on success; ``shown_chars`` is the text a person had
    already been given; ``usage`` the provider's own figures, as far as they arrived; ``changes``
    what was altered in the request to suit the target; ``soft_end``
    says that the answer was whole but its stream did not end.
    """

    number: int
    target: str
    outcome: AttemptOutcome
    verdict: Verdict | None
    started_seconds: float
    duration_seconds: float
    wait_seconds: float
    first_content_seconds: float | None
    shown_chars: int
    sent: Sent
    usage: Mapping[str, Any]
    provider_request_id: str | None
    changes: tuple[str, ...] = ()
    soft_end: bool = False
