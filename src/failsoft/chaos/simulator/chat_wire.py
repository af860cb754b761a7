"""The exact bytes of Chat Completions: error bodies, chunks, headers.

Shapes and messages follow OpenAI's documentation, its SDK and replies that were reported in
public; ``ERRORS`` has the type, the code and the message that go with a status.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from failsoft.chaos.simulator.chat_call import check_chat_headers, parse_chat_call
from failsoft.chaos.simulator.simulated_answer import (
    BadCallError,
    Block,
    SimulatedAnswer,
    SimulatedCall,
    StopReason,
)
from failsoft.chaos.simulator.time import LimitState
from failsoft.chaos.simulator.wire import Frame, SimulatedFailure, encode
from failsoft.faults.fault_grammar import SimulatedFault

__all__ = ["ChatWire"]

_Words = tuple[str, str | int | None, str]
"""``error.type``, ``error.code`` and ``error.message``."""

_INVALID: Final = "invalid_request_error"
_OVERLOADED: Final = (
    "service_unavailable_error",
    "server_is_overloaded",
    "Our servers are currently overloaded. Please try again later.",
)
_NO_QUOTA: Final = (
    "insufficient_quota",
    "insufficient_quota",
    "You exceeded your current quota, please check your plan and billing details.",
)
ERRORS: Final[Mapping[int, _Words]] = {
    400: (_INVALID, None, "Bad request"),
    401: (
        _INVALID,
        "invalid_api_key",
        "Incorrect API key provided: any.",
    ),
    402: ("insufficient_quota", "insufficient_balance", "Insufficient balance"),
    403: (_INVALID, None, "You have insufficient permissions for this operation."),
    404: (_INVALID, None, "Not found"),
    408: ("server_error", "request_timeout", "Request timed out"),
    409: (_INVALID, None, "Conflict"),
    413: (_INVALID, "request_too_large", "Request exceeds the maximum size"),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests"),
    500: (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    502: ("cf_bad_gateway", 502, "Bad gateway."),
    503: _OVERLOADED,
    504: ("cf_gateway_timeout", 504, "Gateway timeout."),
    529: _OVERLOADED,
}
_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    "cf_bad_gateway": 502,
    "cf_gateway_timeout": 504,
    "requests": 429,
    "service_unavailable_error": 503,
    "tokens": 429,
}
# The faults' types are named as the Messages API has them: what stands in their place here.
_STATUS_OF_MESSAGES_TYPE: Final[Mapping[str, int]] = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "conflict_error": 409,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 503,
    "permission_error": 403,
    "rate_limit_error": 429,
    "request_too_large": 413,
    "timeout_error": 504,
}
_NAMED: Final[Mapping[str, tuple[int, _Words]]] = {
    "bad_key": (401, ERRORS[401]),
    "credit_balance": (429, _NO_QUOTA),
    "spend_limit": (429, _NO_QUOTA),
    "suspended": (
        401,
        (
            _INVALID,
            "account_deactivated",
            "Your account has been deactivated, please check your email for more information.",
        ),
    ),
    "usage_limit": (
        400,
        (_INVALID, "billing_hard_limit_reached", "Billing hard limit has been reached"),
    ),
}
_FILTERED: Final = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management "
    "policy. Please modify your prompt and retry."
)
_WINDOW: Final = 128_000
_REFUSAL: Final = ("I'm ", "sorry, ", "but ", "I ", "can't ", "help ", "with ", "that.")
_FINISH: Final[Mapping[StopReason, str]] = {
    "content_filter": "content_filter",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "stop",
    "tool_use": "tool_calls",
}


class ChatWire:
    """OpenAI's Chat Completions, a :class:`.WireDialect`."""

    request_id_header: Final = "x-request-id"
    models: Final = ("gpt-5.5", "gpt-5.5-mini", "llama-4-maverick")
    filter_ends_answers: Final = True
    body_complaints: Final = (
        "We could not parse the JSON body of your request.",
        "The body of your request has to be a JSON object.",
    )

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """A bearer token, or Azure's ``api-key``, there must be."""
        check_chat_headers(headers)

    def parse_call(self, body: Mapping[str, Any]) -> SimulatedCall:
        """Check what the API checks, and read what the simulator understands."""
        return parse_chat_call(body)

    def of_status(
        self, status: int, *, message: str | None = None, code: str | None = None
    ) -> SimulatedFailure:
        """``code`` is ``error.code``."""
        type_, _, _ = ERRORS[400 if status < 500 else 500]  # noqa: PLR2004 - client or server error
        words = ERRORS.get(status, (type_, None, f"Error {status}"))
        return _failure(status, words, message=message, code=code)

    def of_type(self, type_: str) -> SimulatedFailure:
        """A type of the Messages API is this API's failure of that kind; 500 for an unknown one."""
        if (status := _STATUS_OF_MESSAGES_TYPE.get(type_)) is not None:
            return self.of_status(status)
        if type_ == _NO_QUOTA[0]:
            return _failure(429, _NO_QUOTA)
        return replace(self.of_status(_STATUS_OF_TYPE.get(type_, 500)), type=type_)

    def of_fault(
        self,
        fault: SimulatedFault,
        call: SimulatedCall,
        *,
        epoch: float,  # noqa: ARG002 - only other dialects name a date in the body
        limit: LimitState | None,
    ) -> SimulatedFailure:
        """The error that the fault's name means here."""
        match fault.name:
            case "content_filter":
                return _filtered()
            case "context_limit":
                return _too_long(call, fault.tokens or _WINDOW)
            case "rate_limit":
                return self.of_status(429, message=_limit_reached(call.model, limit))
            case "unknown_model":
                message = (
                    f"The model `{call.model}` does not exist or you do not have access to it."
                )
                return self.of_status(404, message=message, code="model_not_found")
            case name:
                return _failure(*_NAMED[name])

    def of_mistake(self, error: BadCallError) -> SimulatedFailure:
        """The check's own words, with the field as ``param``."""
        return SimulatedFailure(
            status=error.status,
            type=_INVALID,
            message=error.message,
            code=error.code,
            param=error.param,
        )

    def error_body(self, failure: SimulatedFailure, request_id: str) -> bytes:  # noqa: ARG002
        """The body of an error; the request's id is in a header only."""
        return encode(_error(failure))

    def error_event(self, failure: SimulatedFailure, request_id: str) -> Frame:  # noqa: ARG002
        """An error in place of a chunk."""
        return _sse(_error(failure))

    def limit_headers(self, limit: LimitState) -> Mapping[str, str]:
        """Times until the reset are Go durations."""
        headers = {
            "x-ratelimit-limit-requests": str(limit.limit),
            "x-ratelimit-remaining-requests": str(limit.remaining),
            "x-ratelimit-reset-requests": _go_duration(limit.full_s),
        }
        if not limit.allowed:
            headers["retry-after"] = str(max(1, math.ceil(limit.next_s)))
            headers["retry-after-ms"] = str(math.ceil(limit.next_s * 1000))
        return headers

    def message_body(self, answer: SimulatedAnswer) -> bytes:
        """The completion."""
        choice = {
            "message": _message(answer),
            "logprobs": None,
            "finish_reason": _FINISH[answer.stop_reason],
        }
        body = {
            **_head(answer, "chat.completion"),
            "choices": [{"index": index, **choice} for index in range(answer.call.choices)],
            "usage": _usage(answer),
        }
        return encode(body)

    def frames(self, answer: SimulatedAnswer) -> Iterator[Frame]:
        """From the role to ``[DONE]``, each delta once for every choice."""
        choices = range(answer.call.choices)
        for delta, content in _deltas(answer):
            for index in choices:
                yield _sse(_chunk(answer, [_choice(index, delta, None)]), content=content)
        for index in choices:
            finish = _FINISH[answer.stop_reason]
            yield _sse(_chunk(answer, [_choice(index, {}, finish)]))
        if answer.call.stream_usage:
            yield _sse({**_chunk(answer, []), "usage": _usage(answer)})
        yield from self.terminator()

    def ping(self) -> Frame:
        """A comment."""
        return Frame(b": keep-alive\n\n")

    def terminator(self) -> Sequence[Frame]:
        """``[DONE]``, which follows errors as well in some services."""
        return (Frame(b"data: [DONE]\n\n"),)

    def models_body(self, models: Sequence[str]) -> bytes:
        """A list of all."""
        data = [
            {"id": model, "object": "model", "created": 1_767_225_600, "owned_by": "system"}
            for model in models
        ]
        return encode({"object": "list", "data": data})


def _go_duration(seconds: float) -> str:
    """Seconds as Go writes them, to the millisecond: 15ms, 1.5s, 6m0s, 1h0m0s."""
    ms = math.ceil(seconds * 1000 - 1e-6)
    if 0 < ms < 1000:  # noqa: PLR2004 - a second
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{whole}{rest / 1000:g}s"


def _failure(
    status: int, words: _Words, *, message: str | None = None, code: str | None = None
) -> SimulatedFailure:
    type_, usual_code, usual = words
    return SimulatedFailure(
        status=status, type=type_, message=message or usual, code=code or usual_code
    )


def _filtered() -> SimulatedFailure:
    reason = {"hate": {"filtered": False}, "violence": {"filtered": True, "severity": "medium"}}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": reason}
    return SimulatedFailure(
        status=400,
        type=None,
        message=_FILTERED,
        code="content_filter",
        param="prompt",
        more={"status": 400, "innererror": inner},
    )


def _too_long(call: SimulatedCall, limit: int) -> SimulatedFailure:
    message = (
        f"This model's maximum context length is {limit} tokens. However, your messages resulted "
        f"in {max(call.input_tokens, limit + 1)} tokens. Please reduce the length of the messages."
    )
    return SimulatedFailure(
        status=400,
        type=_INVALID,
        message=message,
        code="context_length_exceeded",
        param="messages",
    )


def _limit_reached(model: str, limit: LimitState | None) -> str | None:
    if limit is None:
        return None
    return (
        f"Rate limit reached for {model} in organization org-simulated on requests per min (RPM): "
        f"Limit {limit.limit}, Used {limit.limit}, Requested 1. Please try again in "
        f"{_go_duration(limit.next_s)}. Visit https://platform.openai.com/account/rate-limits to "
        "learn more."
    )


def _error(failure: SimulatedFailure) -> dict[str, Any]:
    error = {
        "message": failure.message,
        "type": failure.type,
        "param": failure.param,
        "code": failure.code,
    }
    return {"error": {**error, **failure.more}}


def _sse(body: Mapping[str, Any], *, content: bool = False) -> Frame:
    return Frame(b"data: " + encode(body) + b"\n\n", content)


def _head(answer: SimulatedAnswer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.digest[:29]}",
        "object": kind,
        "created": answer.created,
        "model": answer.call.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _chunk(answer: SimulatedAnswer, choices: list[dict[str, Any]]) -> dict[str, Any]:
    chunk = {**_head(answer, "chat.completion.chunk"), "choices": choices}
    return {**chunk, "usage": None} if answer.call.stream_usage else chunk


def _choice(index: int, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _message(answer: SimulatedAnswer) -> dict[str, Any]:
    texts = {block.kind: block.text for block in answer.blocks}
    calls = [_call(block, block.text) for block in answer.blocks if block.kind == "tool_use"]
    refused = answer.stop_reason == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": texts.get("text"),
        "refusal": "".join(_REFUSAL) if refused else None,
        "annotations": [],
    }
    if "thinking" in texts:
        message["reasoning_content"] = texts["thinking"]
    return {**message, "tool_calls": calls} if calls else message


def _deltas(answer: SimulatedAnswer) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each delta of one choice, and whether it is one of the contents."""
    calls = any(block.kind == "tool_use" for block in answer.blocks)
    yield {"role": "assistant", "content": None if calls else "", "refusal": None}, False
    place = 0
    for block in answer.blocks:
        if block.kind != "tool_use":
            key = "content" if block.kind == "text" else "reasoning_content"
            yield from (({key: piece}, True) for piece in block.pieces)
            continue
        yield {"tool_calls": [{"index": place, **_call(block, "")}]}, False
        for piece in block.pieces:
            yield {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}, True
        place += 1
    if answer.stop_reason == "refusal":
        yield from (({"refusal": word}, False) for word in _REFUSAL)


def _call(block: Block, arguments: str) -> dict[str, Any]:
    function = {"name": block.name, "arguments": arguments}
    return {"id": f"call_{block.digest[:24]}", "type": "function", "function": function}


def _usage(answer: SimulatedAnswer) -> dict[str, Any]:
    prompt, completion = answer.call.input_tokens, answer.output_tokens * answer.call.choices
    thought = sum(len(block.pieces) for block in answer.blocks if block.kind == "thinking")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": thought * answer.call.choices,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
