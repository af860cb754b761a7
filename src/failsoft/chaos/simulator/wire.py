"""The exact bytes of the Messages API: error bodies, events, headers.

Shapes and messages follow the API's documentation, its SDK and replies that were reported in
public; ``ERRORS`` has the type and the message that go with a status.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from failsoft.chaos.simulator.simulated_answer import SimulatedAnswer
from failsoft.chaos.simulator.time import TokenBucket
from failsoft.faults.fault_grammar import SimulatedFault

__all__ = [
    "Frame",
    "SimulatedReply",
    "encode",
    "error_frame",
    "error_of_type",
    "error_reply",
    "frames",
    "limit_headers",
    "message_body",
    "models_body",
    "ping",
    "sse",
]

ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "Bad request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is a problem with your billing or payment information."),
    403: (
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    404: ("not_found_error", "Not found"),
    408: ("timeout_error", "Request timed out"),
    409: ("conflict_error", "Conflict"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: (
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
    ),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_TIER: Final = {"service_tier": "standard"}
_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    type_: status for status, (type_, _) in ERRORS.items() if status not in {408, 503}
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedReply:
    """A whole reply that is not a stream."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event; ``content`` marks the deltas."""

    data: bytes
    content: bool = False


def encode(value: Any) -> bytes:
    """JSON as the API writes it: compact, not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def error_body(
    type_: str, message: str, request_id: str, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of an error."""
    error = {"type": type_, "message": message}
    return {
        "type": "error",
        "error": error if details is None else {**error, "details": details},
        "request_id": request_id,
    }


def error_reply(
    status: int,
    request_id: str,
    *,
    message: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> SimulatedReply:
    """The reply to a request that failed with ``status``; ``code`` is ``details.error_code``."""
    fallback = ERRORS[400 if status < 500 else 500]  # noqa: PLR2004 - client or server error
    type_, usual = ERRORS.get(status, (fallback[0], f"Error {status}"))
    details = None if code is None else {"error_code": code}
    body = error_body(type_, message or usual, request_id, details)
    return SimulatedReply(status=status, body=encode(body), headers=headers or {})


def error_of_type(type_: str, request_id: str, *, message: str | None = None) -> SimulatedReply:
    """The reply with the status that goes with an ``error.type``; 500 for an unknown type."""
    status = _STATUS_OF_TYPE.get(type_, 500)
    body = error_body(type_, message or ERRORS[status][1], request_id)
    return SimulatedReply(status=status, body=encode(body))


def error_frame(type_: str, request_id: str, *, message: str | None = None) -> Frame:
    """The same error as an event in a stream that had begun well; there it has empty details."""
    usual = ERRORS[_STATUS_OF_TYPE.get(type_, 500)][1]
    error = {"details": None, "type": type_, "message": message or usual}
    return sse("error", error=error, request_id=request_id)


def sse(type_: str, **fields: Any) -> Frame:
    """One event."""
    data = encode({"type": type_, **fields})
    content = type_ == "content_block_delta"
    return Frame(b"event: " + type_.encode() + b"\ndata: " + data + b"\n\n", content)


def ping() -> Frame:
    """The event that says only that the connection lives."""
    return sse("ping")


def message_body(answer: SimulatedAnswer) -> dict[str, Any]:
    """The message of a plain reply."""
    return {
        **_head(answer),
        "content": [dict(block.stop) for block in answer.blocks],
        "stop_reason": answer.stop_reason,
        "stop_sequence": None,
        "stop_details": answer.stop_details,
        "usage": {**_usage(answer, answer.output_tokens), **_TIER},
    }


def models_body(models: Sequence[str]) -> dict[str, Any]:
    """The body of ``GET /v1/models``."""
    data = [
        {
            "type": "model",
            "id": model,
            "display_name": model.replace("-", " ").title(),
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
        }
        for model in models
    ]
    return {"data": data, "has_more": False, "first_id": models[0], "last_id": models[-1]}


def frames(answer: SimulatedAnswer) -> Iterator[Frame]:
    """The events of a streamed reply, from ``message_start`` to ``message_stop``."""
    opening: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
    usage = {**_usage(answer, 1), **_TIER}
    yield sse("message_start", message={**_head(answer), **opening, "usage": usage})
    for index, block in enumerate(answer.blocks):
        yield sse("content_block_start", index=index, content_block=block.start)
        if index == 0:
            yield ping()
        for delta in block.deltas:
            yield sse("content_block_delta", index=index, delta=delta)
        yield sse("content_block_stop", index=index)
    end: dict[str, Any] = {"stop_reason": answer.stop_reason, "stop_sequence": None}
    if answer.stop_details is not None:
        end["stop_details"] = answer.stop_details
    yield sse("message_delta", delta=end, usage=_usage(answer, answer.output_tokens))
    yield sse("message_stop")


def limit_headers(
    fault: SimulatedFault, bucket: TokenBucket, *, allowed: bool, epoch: float
) -> dict[str, str]:
    """The headers of a rate limit; ``retry-after``, in whole seconds, once it is spent."""
    full_at = datetime.fromtimestamp(math.ceil(epoch + bucket.seconds_to_full()), UTC)
    prefix = "anthropic-ratelimit-requests"
    headers = {
        f"{prefix}-limit": str(fault.burst),
        f"{prefix}-remaining": str(bucket.remaining()),
        f"{prefix}-reset": full_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if not allowed:
        headers["retry-after"] = str(max(1, math.ceil(bucket.seconds_to_next())))
    return headers


def _head(answer: SimulatedAnswer) -> dict[str, Any]:
    return {"id": answer.id, "type": "message", "role": "assistant", "model": answer.model}


def _usage(answer: SimulatedAnswer, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }
