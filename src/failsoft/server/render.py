"""Renders an answer as the bodies, statuses and events that leave the service, in JSON.

Only what is named here leaves it: no verdict, no target, no provider's id, no detail. The model's
name does where ``server.expose_model`` is on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from starlette.responses import Response

from failsoft.classify.verdict import ErrorCategory
from failsoft.config.settings import Settings
from failsoft.engine.answer import (
    Answer,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamRestart,
    StreamStart,
    StreamStatus,
    StreamText,
)
from failsoft.notices.notice import Notice
from failsoft.providers.sse import SSEReader
from failsoft.server.schema import AnswerBody, FailureBody, NoticeBody

__all__ = [
    "AnswerResponse",
    "JsonResponse",
    "Render",
    "Shown",
    "WholeReply",
    "frame_of",
    "json_bytes",
    "notice_body",
    "shown_in",
    "text_frame",
]


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


_UNPROCESSABLE = (ErrorCategory.CONTENT_POLICY, ErrorCategory.PERMANENT)
_NOTICE_FIELDS = tuple(each.name for each in fields(Notice))


def _status_of(answer: Answer) -> int:
    """The HTTP status. Trouble with our account or our upstream is 503: it is not the caller's."""
    if answer.status == "success":
        return 200
    if answer.verdict is not None and answer.verdict.reason == "too_large":
        return 413
    return 422 if answer.error_category in _UNPROCESSABLE else 503


def _retry_after(answer: Answer) -> int | None:
    """Whole seconds for ``Retry-After``, where the answer is that there is none right now."""
    now_unavailable = _status_of(answer) == HTTPStatus.SERVICE_UNAVAILABLE
    return _whole(answer.retry_after) if now_unavailable else None


def frame_of(number: int, data: dict[str, Any]) -> bytes:
    """One event, its id after its data.

    Some clients take an id for seen as soon as its line came, and would miss the data of an event
    that was cut in two.
    """
    return b"data: %b\nid: %d\n\n" % (json_bytes(data), number)


def text_frame(number: int, text: str) -> bytes:
    """The event of some text, as :func:`frame_of` would make it: there is none more often."""
    return b'data: {"type":"text","text":%b}\nid: %d\n\n' % (json_bytes(text), number)


@dataclass(slots=True)
class Shown:
    """What a reader of some frames has seen: its text events, and the last status."""

    texts: list[str] = field(default_factory=list)
    status: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """All of the text."""
        return "".join(self.texts)


def shown_in(frames: bytes) -> Shown:
    """Read back what ``frames``, of one run, showed."""
    shown = Shown()
    for event in SSEReader(limit=len(frames)).feed(frames):
        data = json.loads(event.data)
        if data["type"] == "text":
            shown.texts.append(data["text"])
            shown.status = None  # what was said of the wait is over
        elif data["type"] == "status":
            shown.status = data
    return shown


class WholeReply(NamedTuple):
    """A whole answer as it goes out: ``retry_after`` is in seconds, where a wait is known."""

    status: int
    body: bytes
    retry_after: int | None


class AnswerResponse(Response):
    """A whole answer, or the notice in its place, as JSON: the same bytes for all who ask."""

    media_type = "application/json"

    def __init__(self, result: WholeReply, request_id: str) -> None:
        super().__init__(result.body, result.status)
        self.headers["x-request-id"] = request_id
        self.headers["cache-control"] = "no-store"
        if result.retry_after is not None:
            self.headers["retry-after"] = str(result.retry_after)


class Render:
    """Makes bodies and events as ``settings`` allow."""

    def __init__(self, settings: Settings) -> None:
        self._show_model = settings.server.expose_model
        named = ((each.name, getattr(settings.links, each.name)) for each in fields(settings.links))
        self.links: Mapping[str, str] = {name: link for name, link in named if link}

    def body(self, answer: Answer) -> AnswerBody | FailureBody:
        """The body of a JSON reply."""
        if answer.status == "success":
            body: dict[str, Any] = {"status": "success", "response": answer.text}
        else:
            body = {
                "status": "error",
                "error": _notice(answer),
                "retryable": answer.retryable,
                "error_category": answer.error_category or ErrorCategory.UNKNOWN,
            }
        body["level"] = answer.level
        body["suggested_actions"] = list(answer.suggested_actions)
        body |= self._optional(answer)
        body["circuit_state"] = answer.circuit_state
        body["request_id"] = answer.request_id
        return cast("AnswerBody | FailureBody", body)

    def result(self, answer: Answer) -> WholeReply:
        """The answer as a JSON reply."""
        return WholeReply(_status_of(answer), json_bytes(self.body(answer)), _retry_after(answer))

    def frame(self, number: int, event: StreamEvent) -> bytes:
        """One server-sent event, with ``number`` for its id."""
        if isinstance(event, StreamText):
            return text_frame(number, event.text)
        if isinstance(event, StreamDone | StreamInterrupted | StreamError):
            return frame_of(number, self._terminal(event))
        return frame_of(number, self._before(event))

    def _before(self, event: StreamStart | StreamStatus | StreamRestart) -> dict[str, Any]:
        match event:
            case StreamStart(request_id):
                return {"type": "start", "request_id": request_id}
            case StreamRestart(segment):
                return {"type": "restart", "segment": segment}
            case StreamStatus(phase, notice, seconds):
                return {
                    "type": "status",
                    "phase": phase,
                    "notice": notice_body(notice),
                    "retry_in_seconds": _whole(seconds),
                }

    def _terminal(self, event: StreamDone | StreamInterrupted | StreamError) -> dict[str, Any]:
        match event:
            case StreamDone(answer, tokens):
                return self._done(answer, tokens)
            case StreamInterrupted(answer, tokens, chars):
                return self._ended("stream_interrupted", answer, tokens, chars)
            case StreamError(answer):
                return self._ended("error", answer, 0, 0)

    def _done(self, answer: Answer, tokens: int) -> dict[str, Any]:
        done: dict[str, Any] = {
            "type": "done",
            "level": answer.level,
            "tokens": tokens,
            "finish": answer.finish or "complete",
        }
        # Figures only; other fields of the provider are left out.
        usage = {name: n for name, n in answer.usage.items() if type(n) is int}
        if usage:
            done["usage"] = usage
        if answer.suggested_actions:
            done["suggested_actions"] = list(answer.suggested_actions)
        return done | self._optional(answer)

    def _ended(self, kind: str, answer: Answer, tokens: int, chars: int) -> dict[str, Any]:
        notice = _notice(answer)
        ended = {
            "type": kind,
            "tokens_before_error": tokens,
            "chars_before_error": chars,
            "user_message": notice["body"],
            "retryable": answer.retryable,
            "action": notice["primary_action_type"],
            "error": notice,
            "error_category": answer.error_category or ErrorCategory.UNKNOWN,
            "suggested_actions": list(answer.suggested_actions),
        }
        return ended | self._optional(answer)

    def _optional(self, answer: Answer) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if answer.status == "success":
            if self._show_model and answer.model is not None:
                found["model"] = answer.model
            if answer.notice is not None:
                found["notice"] = notice_body(answer.notice)
            if answer.cache_age_seconds is not None:
                found["cache"] = {"age_seconds": _whole(answer.cache_age_seconds)}
        wait = _whole(answer.retry_in_seconds)
        if wait is not None:
            found["retry_in_seconds"] = wait
        links = self.links if answer.link is None else {**self.links, "more": answer.link}
        if links and answer.level != "full":
            found["links"] = links
        return found


def notice_body(notice: Notice) -> NoticeBody:
    """The fields of a notice."""
    return cast("NoticeBody", {name: getattr(notice, name) for name in _NOTICE_FIELDS})


def _notice(answer: Answer) -> NoticeBody:
    if answer.notice is None:
        raise RuntimeError("a failed answer has a notice")
    return notice_body(answer.notice)


def _whole(seconds: float | None) -> int | None:
    """Whole seconds, rounded up: who waits so long never comes too early."""
    return None if seconds is None or not math.isfinite(seconds) else math.ceil(seconds)
