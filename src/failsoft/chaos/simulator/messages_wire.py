"""The exact bytes of the Messages API: error bodies, events, headers.

Shapes and messages follow the API's documentation, its SDK and replies that were reported in
public; ``ERRORS`` has the type and the message that go with a status.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from failsoft.chaos.simulator.messages_call import check_messages_headers, parse_messages_call
from failsoft.chaos.simulator.simulated_answer import (
    BadCallError,
    Block,
    SimulatedAnswer,
    SimulatedCall,
)
from failsoft.chaos.simulator.time import LimitState
from failsoft.chaos.simulator.wire import Frame, SimulatedFailure, encode
from failsoft.faults.fault_grammar import SimulatedFault

__all__ = ["MessagesWire"]

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
_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    type_: status for status, (type_, _) in ERRORS.items() if status not in {408, 503}
}

_Words = tuple[int, str | None, str | None]
"""Status, ``error.message`` and ``details.error_code``; None for the status's usual message."""

_NO_CREDIT: Final = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
    "upgrade or purchase credits."
)
_SPENT: Final = (
    "This request would exceed your account's monthly spend limit. Please try again later."
)
_NAMED: Final[Mapping[str, _Words]] = {
    "bad_key": (401, None, None),
    "content_filter": (400, "Output blocked by content filtering policy", None),
    "credit_balance": (400, _NO_CREDIT, None),
    "rate_limit": (429, None, None),
    "spend_limit": (429, _SPENT, "enforced_spend_limit_reached"),
    "suspended": (400, "This organization has been disabled.", "organization_on_hold"),
}
_WINDOW: Final = 200_000
_REFUSAL: Final = {"type": "refusal", "category": "general_harms", "explanation": None}
_TIER: Final = {"service_tier": "standard"}


class MessagesWire:
    """Anthropic's Messages API, a :class:`.WireDialect`."""

    request_id_header: Final = "request-id"
    models: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
    filter_ends_answers: Final = False
    body_complaints: Final = (
        "The request body is not valid JSON",
        "Input should be a valid dictionary",
    )

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """A key and a version there must be."""
        check_messages_headers(headers)

    def parse_call(self, body: Mapping[str, Any]) -> SimulatedCall:
        """Check what the API requires, and read what the simulator understands."""
        return parse_messages_call(body)

    def of_status(
        self, status: int, *, message: str | None = None, code: str | None = None
    ) -> SimulatedFailure:
        """``code`` is ``details.error_code``."""
        fallback = ERRORS[400 if status < 500 else 500]  # noqa: PLR2004 - client or server error
        type_, usual = ERRORS.get(status, (fallback[0], f"Error {status}"))
        return SimulatedFailure(status=status, type=type_, message=message or usual, code=code)

    def of_type(self, type_: str) -> SimulatedFailure:
        """The status that goes with the type; 500 for an unknown one."""
        status = _STATUS_OF_TYPE.get(type_, 500)
        return SimulatedFailure(status=status, type=type_, message=ERRORS[status][1])

    def of_fault(
        self,
        fault: SimulatedFault,
        call: SimulatedCall,
        *,
        epoch: float,
        limit: LimitState | None,  # noqa: ARG002 - only other dialects name it in the body
    ) -> SimulatedFailure:
        """The error that the fault's name means here."""
        status, message, code = _named(fault, call, epoch)
        return self.of_status(status, message=message, code=code)

    def of_mistake(self, error: BadCallError) -> SimulatedFailure:
        """The check's own words; the field is part of them."""
        return self.of_status(error.status, message=error.message)

    def error_body(self, failure: SimulatedFailure, request_id: str) -> bytes:
        """The body of an error."""
        error: dict[str, Any] = {"type": failure.type, "message": failure.message}
        if failure.code is not None:
            error["details"] = {"error_code": failure.code}
        return encode({"type": "error", "error": error, "request_id": request_id})

    def error_event(self, failure: SimulatedFailure, request_id: str) -> Frame:
        """In a stream an error has empty details."""
        error = {"details": None, "type": failure.type, "message": failure.message}
        return _sse("error", error=error, request_id=request_id)

    def limit_headers(self, limit: LimitState) -> Mapping[str, str]:
        """``retry-after`` is in whole seconds."""
        full_at = datetime.fromtimestamp(math.ceil(limit.epoch + limit.full_s), UTC)
        prefix = "anthropic-ratelimit-requests"
        headers = {
            f"{prefix}-limit": str(limit.limit),
            f"{prefix}-remaining": str(limit.remaining),
            f"{prefix}-reset": full_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if not limit.allowed:
            headers["retry-after"] = str(max(1, math.ceil(limit.next_s)))
        return headers

    def message_body(self, answer: SimulatedAnswer) -> bytes:
        """The message."""
        body = {
            **_head(answer),
            "content": [_whole(block) for block in answer.blocks],
            "stop_reason": answer.stop_reason,
            "stop_sequence": None,
            "stop_details": _stop_details(answer),
            "usage": {**_usage(answer, answer.output_tokens), **_TIER},
        }
        return encode(body)

    def frames(self, answer: SimulatedAnswer) -> Iterator[Frame]:
        """From ``message_start`` to ``message_stop``."""
        opening: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
        usage = {**_usage(answer, 1), **_TIER}
        yield _sse("message_start", message={**_head(answer), **opening, "usage": usage})
        for index, block in enumerate(answer.blocks):
            yield _sse("content_block_start", index=index, content_block=_empty(block))
            if index == 0:
                yield self.ping()
            for delta in _deltas(block):
                yield _sse("content_block_delta", index=index, delta=delta)
            yield _sse("content_block_stop", index=index)
        end: dict[str, Any] = {"stop_reason": answer.stop_reason, "stop_sequence": None}
        if (details := _stop_details(answer)) is not None:
            end["stop_details"] = details
        yield _sse("message_delta", delta=end, usage=_usage(answer, answer.output_tokens))
        yield _sse("message_stop")

    def ping(self) -> Frame:
        """The event that says only that the connection lives."""
        return _sse("ping")

    def terminator(self) -> Sequence[Frame]:
        """None: ``message_stop`` says that the answer is whole."""
        return ()

    def models_body(self, models: Sequence[str]) -> bytes:
        """One page of all."""
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
        page = {"data": data, "has_more": False, "first_id": models[0], "last_id": models[-1]}
        return encode(page)


def _named(fault: SimulatedFault, call: SimulatedCall, epoch: float) -> _Words:
    match fault.name:
        case "context_limit":
            limit = fault.tokens or _WINDOW
            tokens = max(call.input_tokens, limit + 1)
            return 400, f"prompt is too long: {tokens} tokens > {limit} maximum", None
        case "unknown_model":
            return 404, f"model: {call.model}", None
        case "usage_limit":
            message = f"You have reached your specified API usage limits. {_back_on(epoch)}"
            return 400, message, None
        case name:
            return _NAMED[name]


def _back_on(epoch: float) -> str:
    now = datetime.fromtimestamp(epoch, UTC)
    year, month = divmod(now.year * 12 + now.month, 12)
    return f"You will regain access on {year}-{month + 1:02}-01 at 00:00 UTC."


def _sse(type_: str, **fields: Any) -> Frame:
    data = encode({"type": type_, **fields})
    # A signature is none of the contents: it ends a thought that was sent already.
    content = type_ == "content_block_delta" and fields["delta"]["type"] != "signature_delta"
    return Frame(b"event: " + type_.encode() + b"\ndata: " + data + b"\n\n", content)


def _head(answer: SimulatedAnswer) -> dict[str, Any]:
    return {
        "id": f"msg_01{answer.digest[:22]}",
        "type": "message",
        "role": "assistant",
        "model": answer.call.model,
    }


def _whole(block: Block) -> dict[str, Any]:
    match block.kind:
        case "text":
            return {"type": "text", "text": block.text}
        case "thinking":
            return {"type": "thinking", "thinking": block.text, "signature": _signature(block)}
        case "tool_use":
            return {**_empty(block), "input": json.loads(block.text)}


def _empty(block: Block) -> dict[str, Any]:
    match block.kind:
        case "text":
            return {"type": "text", "text": ""}
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "tool_use":
            id_ = f"toolu_01{block.digest[:22]}"
            return {"type": "tool_use", "id": id_, "name": block.name, "input": {}}


def _deltas(block: Block) -> Iterator[dict[str, str]]:
    kind, key = {
        "text": ("text_delta", "text"),
        "thinking": ("thinking_delta", "thinking"),
        "tool_use": ("input_json_delta", "partial_json"),
    }[block.kind]
    for piece in block.pieces:
        yield {"type": kind, key: piece}
    if block.kind == "thinking":
        yield {"type": "signature_delta", "signature": _signature(block)}


def _signature(block: Block) -> str:
    return f"Eq{block.digest}=="


def _stop_details(answer: SimulatedAnswer) -> Mapping[str, Any] | None:
    return _REFUSAL if answer.stop_reason == "refusal" else None


def _usage(answer: SimulatedAnswer, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": answer.call.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }
