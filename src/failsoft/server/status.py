"""A request as ``GET /api/requests/{id}`` tells it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, cast

from failsoft.engine.client import Failsoft
from failsoft.requests.records import Record, RequestState
from failsoft.server.frames import Shown
from failsoft.server.render import Render
from failsoft.server.replay import cut_off
from failsoft.server.schema import RequestBody

__all__ = ["request_body"]


def request_body(
    record: Record, shown: Shown, *, ai: Failsoft, render: Render, now: float
) -> RequestBody:
    """The body; ``shown`` is what its last run that gave out text has shown, ``now`` epoch time."""
    body: dict[str, Any] = {
        "request_id": record.id,
        "status": record.state,
        "created_at": _moment(record.created_at),
        "updated_at": _moment(record.updated_at),
        "stream": record.stream,
        "last_event_id": record.last_id,
        "text": shown.text,
        "actions": [],
    }
    if not record.state.ended:
        body |= _under_way(record, shown, now)
    elif record.state is RequestState.DONE:
        body |= _done(record)
    else:
        body |= _failed(record, shown, ai, render)
    return cast("RequestBody", body)


def _under_way(record: Record, shown: Shown, now: float) -> dict[str, Any]:
    body: dict[str, Any] = {"attempt": record.attempt}
    if record.retry_at is not None and record.retry_at > now:
        body["retry_in_seconds"] = math.ceil(record.retry_at - now)
    if shown.status is not None:
        body["notice"] = shown.status["notice"]
    return body


def _done(record: Record) -> dict[str, Any]:
    if record.body is None:
        return {}
    result = json.loads(record.body)
    return {"text": result["response"], "result": result, "actions": result["suggested_actions"]}


def _failed(record: Record, shown: Shown, ai: Failsoft, render: Render) -> dict[str, Any]:
    if record.body is None:  # its process was killed
        result: Any = render.body(cut_off(shown, record, ai=ai))
    else:
        result = json.loads(record.body)
    body = {
        "notice": result["error"],
        "actions": result["suggested_actions"],
        "retryable": result["retryable"],
    }
    if "retry_in_seconds" in result:
        body["retry_in_seconds"] = result["retry_in_seconds"]
    return body


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
