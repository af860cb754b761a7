"""What one request of the load was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["LEVELS", "Level", "Reply", "Shown", "read_body"]

Level = Literal["full", "cached", "rule", "minimal", "interrupted", "raw", "unanswered"]

LEVELS: Final[tuple[Level, ...]] = (
    "full",
    "cached",
    "rule",
    "minimal",
    "interrupted",
    "raw",
    "unanswered",
)
"""How a request can end, best first. The first four are the service's own levels; `interrupted` is
a stream cut short, `raw` neither answer nor notice, `unanswered` neither of them in time."""

# So much of an answer's beginning is looked for further on in it.
_BEGINNING = 20


@dataclass(slots=True, kw_only=True)
class Reply:
    """One request. Times are seconds of the load; ``question`` is None for one asked before.

    ``ids`` are the request ids it was given, over all its tries; ``lost`` the connections that
    broke. ``ends`` counts the terminal events of a stream that came whole.
    """

    question: int | None
    stream: bool
    asked_s: float
    first_text_s: float | None = None
    ended_s: float | None = None
    level: Level = "unanswered"
    category: str = ""
    raw: str = ""
    ids: tuple[str, ...] = ()
    ends: int | None = None
    repeated: bool = False
    lost: int = 0

    @property
    def answered(self) -> bool:
        """Whether there was an answer, of whatever level."""
        return self.level in ("full", "cached", "rule")

    def told(self, request_id: str) -> None:
        """Take note of the id it has been given."""
        if request_id not in self.ids:
            self.ids = (*self.ids, request_id)

    def end_raw(self, what: str) -> None:
        """End it with something no person should see."""
        self.level, self.raw = "raw", what[:200]


class Shown:
    """What the events of one stream put before a person."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._text = ""
        self._ends = 0

    def event(self, data: dict[str, Any], now: float) -> None:
        """Take in one event; of types that are not known there may be more."""
        reply = self._reply
        match data:
            case {"type": "start", "request_id": str(request_id)}:
                reply.told(request_id)
            case {"type": "text", "text": str(text)}:
                reply.first_text_s = now if reply.first_text_s is None else reply.first_text_s
                self._text += text
            case {"type": "restart"}:
                self._text = ""
            case {"type": "done", "level": level}:
                self._ends += 1
                _set_level(reply, level)
            case {"type": "error" | "stream_interrupted" as kind}:
                self._ends += 1
                _failed(reply, data, "minimal" if kind == "error" else "interrupted")
            case {"type": "start" | "text" | "done"}:
                reply.end_raw(f"an event without its fields: {data}")

    def whole(self) -> None:
        """Take note that the stream has come to its end."""
        self._reply.ends = self._ends
        self._reply.repeated = _begins_twice(self._text)
        if self._ends == 0 and not self._reply.raw:
            self._reply.end_raw("a stream without an end")


def read_body(reply: Reply, body: Any, now: float) -> None:
    """Take in a JSON reply."""
    match body:
        case {"status": "success", "response": str(text), "level": level}:
            reply.first_text_s = now
            reply.repeated = _begins_twice(text)
            _set_level(reply, level)
        case {"status": "error", "error": dict()}:
            _failed(reply, body, "minimal")
        case {"title": title, "detail": detail}:
            reply.end_raw(f"{title}: {detail}")
        case _:
            reply.end_raw(str(body))
    match body:
        case {"request_id": str(request_id)}:
            reply.told(request_id)


def _set_level(reply: Reply, level: Any) -> None:
    if level in ("full", "cached", "rule"):
        reply.level = level
    else:
        reply.end_raw(f"an answer of level {level!r}")


def _failed(reply: Reply, data: dict[str, Any], level: Level) -> None:
    notice = data.get("error")
    if not isinstance(notice, dict) or not notice.get("title") or not notice.get("body"):
        reply.end_raw(f"a failure without words: {data}")
        return
    reply.level = level
    reply.category = str(data.get("error_category", ""))


def _begins_twice(text: str) -> bool:
    beginning = text[:_BEGINNING]
    return len(beginning) == _BEGINNING and beginning in text[1:]
