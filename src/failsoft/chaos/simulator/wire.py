"""What the simulator's dialects have in common: how one reads a call and writes an answer.

A fate and an answer are decided once, without regard to the dialect; a :class:`WireDialect` has
the bytes. ``messages_wire`` is Anthropic's Messages API, ``chat_wire`` OpenAI's Chat Completions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from failsoft.chaos.simulator.simulated_answer import BadCallError, SimulatedAnswer, SimulatedCall
from failsoft.chaos.simulator.time import LimitState
from failsoft.faults.fault_grammar import SimulatedFault

__all__ = [
    "Frame",
    "SimulatedFailure",
    "SimulatedReply",
    "WireDialect",
    "encode",
    "error_reply",
    "parse_body",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedReply:
    """A whole reply that is not a stream."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event; ``content`` marks the pieces of the answer."""

    data: bytes
    content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFailure:
    """An error in the terms of a dialect; a ``code`` or ``param`` of None is not there."""

    status: int
    type: str | None
    message: str
    code: str | int | None = None
    param: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class WireDialect(Protocol):
    """One API on the wire. Checks raise :class:`.BadCallError`."""

    @property
    def request_id_header(self) -> str:
        """The reply header that has the request's id."""

    @property
    def models(self) -> Sequence[str]:
        """The models that it lists without being given faults."""

    @property
    def filter_ends_answers(self) -> bool:
        """Whether the content filter ends a begun answer; it fails it otherwise."""

    @property
    def body_complaints(self) -> tuple[str, str]:
        """What it says of a body that is not JSON, and of JSON that is not an object."""

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """Any key will do, but a key there must be."""

    def parse_call(self, body: Mapping[str, Any]) -> SimulatedCall:
        """Check the fields that the API checks; others are welcome, known or not."""

    def of_status(
        self, status: int, *, message: str | None = None, code: str | None = None
    ) -> SimulatedFailure:
        """The failure with this status, in the API's usual form of it unless given."""

    def of_type(self, type_: str) -> SimulatedFailure:
        """The failure with an ``error.type`` of the Messages API or of this one."""

    def of_fault(
        self, fault: SimulatedFault, call: SimulatedCall, *, epoch: float, limit: LimitState | None
    ) -> SimulatedFailure:
        """The failure that a fault names; ``limit`` is that of ``rate_limit``."""

    def of_mistake(self, error: BadCallError) -> SimulatedFailure:
        """The failure of a request that did not pass a check."""

    def error_body(self, failure: SimulatedFailure, request_id: str) -> bytes:
        """The body of an error."""

    def error_event(self, failure: SimulatedFailure, request_id: str) -> Frame:
        """The same error as an event in a stream that had begun well."""

    def limit_headers(self, limit: LimitState) -> Mapping[str, str]:
        """The headers of a rate limit; with a wait once it is spent."""

    def message_body(self, answer: SimulatedAnswer) -> bytes:
        """The body of a plain reply."""

    def frames(self, answer: SimulatedAnswer) -> Iterable[Frame]:
        """The events of a streamed reply, to the last."""

    def ping(self) -> Frame:
        """A sign that the connection lives, and nothing else."""

    def terminator(self) -> Sequence[Frame]:
        """The last event, where it says nothing about the answer before it."""

    def models_body(self, models: Sequence[str]) -> bytes:
        """The body of ``GET /v1/models``."""


def encode(value: Any) -> bytes:
    """JSON as the APIs write it: compact, not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def error_reply(
    dialect: WireDialect,
    failure: SimulatedFailure,
    request_id: str,
    *,
    headers: Mapping[str, str] | None = None,
) -> SimulatedReply:
    """The reply to a request that failed."""
    body = dialect.error_body(failure, request_id)
    return SimulatedReply(status=failure.status, body=body, headers=headers or {})


def parse_body(raw: bytes, dialect: WireDialect) -> Mapping[str, Any]:
    """The JSON object of a request's body; BadCallError if it is none."""
    no_json, no_object = dialect.body_complaints
    try:
        body = json.loads(raw)
        json.dumps(body, ensure_ascii=False).encode()  # refuses half a surrogate pair
    except (ValueError, RecursionError):
        raise BadCallError(400, no_json) from None
    if not isinstance(body, dict):
        raise BadCallError(400, no_object)
    return body
