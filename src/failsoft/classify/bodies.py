"""What the body of a reply, or the data of an event, says: an error, a message, or neither.

Read are the shapes in use: Anthropic's and OpenAI's error objects (whole, or the inner object that
OpenAI's SDK keeps), an error among a completion's choices, the events of the Responses API,
Google's ``error.status`` and its details, AWS's ``__type``, problem details, a bare string, an
error quoted in another's message; as bytes, text, JSON values or an SDK's model objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

from failsoft.classify.untrusted import attribute, clip, field, status_number

__all__ = ["Body", "Shape", "read_body"]

_JSON_LIMIT: Final = 256 * 1024  # characters; error bodies have a few hundred
_MESSAGE_LIMIT: Final = 2_000
_NAME_LIMIT: Final = 100
_DETAILS_LIMIT: Final = 20
_EVENT_STARTS: Final = ("event:", "data:", "id:", ":")
_EVENT_DATA = re.compile(r"(?m)^data: ?(.*)$")
_UNFRAMED = re.compile(r"(?ms)^[\[{].*\Z")
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[_.-][A-Za-z0-9]+)+", re.ASCII)
_GOOGLE_STATUS = re.compile(r"[A-Z][A-Z_]{1,40}", re.ASCII)


class Shape(Enum):
    """What kind of thing a body is."""

    ABSENT = auto()
    EMPTY = auto()
    ERROR = auto()
    MESSAGE = auto()
    HTML = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The facts in a body.

    ``codes`` name a cause, ``types`` a kind, both in lower case (Google's ``error.status`` is a
    code in capitals). ``stop`` is a message's stop reason, empty if it has none yet; ``delay`` what
    Google's ``RetryInfo`` says (``45.8s``); ``quotas`` name the limits that Google found exceeded;
    ``param`` is the request's field at fault; ``original`` the status that a model gave to AWS.
    """

    shape: Shape
    codes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    number: int | None = None
    message: str = ""
    request_id: object = None
    stop: str | None = None
    delay: str = ""
    quotas: tuple[str, ...] = ()
    param: str = ""
    original: int | None = None

    @property
    def nameless(self) -> bool:
        """Whether it is an error that gives neither a name nor a number for its cause."""
        return self.shape is Shape.ERROR and not (self.codes or self.types or self.number)


_ABSENT: Final = Body(shape=Shape.ABSENT)


def read_body(raw: object) -> Body:
    """Read a body of any make; never raises for what is in it."""
    if raw is None:
        return _ABSENT
    if isinstance(raw, str | bytes | bytearray):
        return _from_text(clip(raw, _JSON_LIMIT))
    return _from_value(raw)


def _from_text(text: str) -> Body:
    text = text.strip().removeprefix("\ufeff")
    if not text:
        return Body(shape=Shape.EMPTY)
    if text[0] == "<":
        return Body(shape=Shape.HTML, message=text[:_MESSAGE_LIMIT])
    value = _event(text) if text.startswith(_EVENT_STARTS) else _parsed(text)
    if isinstance(value, dict | list):
        return _from_value(value)
    return Body(shape=Shape.OTHER, message=text[:_MESSAGE_LIMIT])


def _event(text: str) -> object:
    """The last error that a stream's events hold, framed or not; else what the last one holds."""
    data = [*_EVENT_DATA.findall(text), *_UNFRAMED.findall(text)]
    values = [value for value in map(_parsed, data) if value is not None]
    errors = [value for value in values if _error_in(_single(value)) is not None]
    return (errors or values or [None])[-1]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _from_value(value: object) -> Body:
    value = _single(value)
    error = _error_in(value)
    if error is not None:
        return _error(error, value)
    stop = _stop(value)
    if stop is not None:
        return Body(shape=Shape.MESSAGE, stop=stop, request_id=_request_id(value))
    if isinstance(value, Mapping):
        found = _error(value, value)
        if not found.nameless or found.message or found.original:
            return found
    return Body(shape=Shape.OTHER)


def _single(value: object) -> object:
    """Google sends a reply as a list: of one error, or of the stream's parts with it."""
    if not isinstance(value, list | tuple):
        return value
    errors = (part for part in value if _error_in(part) is not None)
    return next(errors, value[0] if value else None)


def _error_in(value: object) -> object | None:
    """The error that a value holds, wherever the dialects put it."""
    error = field(value, "error") or _error_of_choices(value) or _error_of_event(value)
    if error:
        return error
    of_botocore = field(value, "Error")
    if isinstance(of_botocore, Mapping) and of_botocore:
        return of_botocore
    return value if field(value, "type") == "error" else None


def _error_of_choices(value: object) -> object:
    choices = field(value, "choices")
    if not isinstance(choices, list | tuple):
        return None
    return next(filter(None, (field(choice, "error") for choice in choices)), None)


def _error_of_event(value: object) -> object:
    """The error in an event of the Responses API, or in one of AWS that its exception names."""
    kind = field(value, "type")
    if isinstance(kind, str) and kind.startswith("response."):
        return field(field(value, "response"), "error")
    if isinstance(value, Mapping) and len(value) == 1:
        name, error = next(iter(value.items()))
        if isinstance(error, Mapping) and isinstance(name, str) and name.endswith("Exception"):
            return {**error, "type": name}
    return None


def _stop(value: object) -> str | None:
    """The stop reason of a message; empty where a message has none, ``None`` for no message."""
    ended = field(value, "messageStop")
    for stop in (field(value, "stop_reason"), *_either(value, ended, "stopReason")):
        if isinstance(stop, str):
            return stop
    if field(value, "type") == "message":
        return ""
    for several, name in (("choices", "finish_reason"), ("candidates", "finishReason")):
        parts = field(value, several)
        if isinstance(parts, list | tuple) and parts:
            return _finish([field(part, name) for part in parts])
    if field(field(value, "promptFeedback"), "blockReason"):
        return "prompt_blocked"
    return _stop_of_response(value)


def _either(value: object, inner: object, name: str) -> tuple[object, object]:
    return field(value, name), field(inner, name)


def _finish(reasons: list[object]) -> str:
    """The reason of several choices: none while one of them goes on, an error before others."""
    ends = [reason for reason in reasons if isinstance(reason, str) and reason]
    if len(ends) < len(reasons) or "FINISH_REASON_UNSPECIFIED" in ends:
        return ""
    return "error" if "error" in ends else ends[0]


def _stop_of_response(value: object) -> str | None:
    """The stop reason of an answer of the Responses API, or of the event that holds it."""
    kind = field(value, "type")
    if isinstance(kind, str) and kind.startswith("response."):
        value = field(value, "response")
    elif field(value, "object") != "response":
        return None
    status = field(value, "status")
    if status == "incomplete":
        status = field(field(value, "incomplete_details"), "reason")
    known = {"failed": "error", "cancelled": "abort", "in_progress": "", "queued": ""}
    return known.get(status, status) if isinstance(status, str) else None


def _error(error: object, outer: object) -> Body:
    if isinstance(error, str):
        return _bare(error, outer)
    detail = field(error, "detail")
    if isinstance(detail, Mapping) and detail is not error:
        error = field(detail, "error") if isinstance(field(detail, "error"), Mapping) else detail
    details = _details(error)
    body = Body(
        shape=Shape.ERROR,
        codes=tuple(_codes(error, details)),
        types=tuple(_names((field(error, "type"), field(error, "__type")))),
        number=_number(error),
        message=_message(error),
        request_id=_request_id(outer),
        delay=_delay(details),
        quotas=tuple(_quotas(details)),
        param=clip(field(error, "param"), _NAME_LIMIT),
        original=_original(error, outer),
    )
    quoted = _quoted(error)
    return body if quoted is None else _joined(quoted, body)


def _number(error: object) -> int | None:
    values = (field(error, name) for name in ("code", "status", "status_code"))
    return next(filter(None, map(status_number, values)), None)


def _original(error: object, outer: object) -> int | None:
    values = _either(error, outer, "originalStatusCode")
    return next(filter(None, map(status_number, values)), None)


def _quoted(error: object) -> Body | None:
    """The error that another's message quotes as JSON, as gateways do."""
    message = field(error, "message")
    if not isinstance(message, str) or message.lstrip()[:1] not in ("{", "["):
        return None
    body = read_body(message)
    return body if body.shape is Shape.ERROR else None


def _joined(inner: Body, outer: Body) -> Body:
    return replace(
        inner,
        codes=(*inner.codes, *outer.codes),
        types=(*inner.types, *outer.types),
        number=inner.number or outer.number,
        request_id=outer.request_id,
    )


def _details(error: object) -> tuple[object, ...]:
    details = field(error, "details")
    return tuple(details[:_DETAILS_LIMIT]) if isinstance(details, list | tuple) else ()


def _delay(details: tuple[object, ...]) -> str:
    given = (clip(field(detail, "retryDelay"), _NAME_LIMIT) for detail in details)
    return next(filter(None, given), "")


def _quotas(details: tuple[object, ...]) -> Iterator[str]:
    """The names in Google's QuotaFailure, and in the metadata of its ErrorInfo."""
    for detail in details:
        violations = field(detail, "violations")
        several = violations[:_DETAILS_LIMIT] if isinstance(violations, list | tuple) else ()
        for named in (*several, field(detail, "metadata")):
            for name in ("quotaId", "quotaMetric", "quota_limit", "quota_metric"):
                yield from filter(None, (clip(field(named, name), _NAME_LIMIT),))


def _bare(text: str, outer: object) -> Body:
    """``{"error": "…"}``: a name if it looks like one, or has a text next to it; else words."""
    words = ""
    if text is not outer:
        words = clip(field(outer, "message") or field(outer, "error_description"), _MESSAGE_LIMIT)
    named = " " not in text and (words or _IDENTIFIER.fullmatch(text))
    return Body(
        shape=Shape.ERROR,
        codes=tuple(_names((text,))) if named else (),
        number=_number(outer),
        message=words or text[:_MESSAGE_LIMIT],
        request_id=_request_id(outer),
    )


def _codes(error: object, details: tuple[object, ...]) -> Iterator[str]:
    metadata, reasons = field(error, "metadata"), (field(detail, "reason") for detail in details)
    yield from _names(
        (
            field(field(error, "details"), "error_code"),
            field(error, "error_code"),
            field(error, "code"),
            field(error, "Code"),
            field(error, "reason"),
            field(field(error, "innererror"), "code"),
            field(metadata, "error_type"),
            field(metadata, "limit_source"),
            *reasons,
        )
    )
    if isinstance(metadata, Mapping) and "flagged_input" in metadata:
        yield "flagged_input"
    status = field(error, "status")
    if isinstance(status, str) and _GOOGLE_STATUS.fullmatch(status):
        yield status  # its capitals keep NOT_FOUND apart from anybody's not_found


def _names(values: Iterable[object]) -> Iterator[str]:
    """Names in lower case, without the namespace and the address that AWS puts around them."""
    for value in values:
        if isinstance(value, str) and not value.isdigit():
            name = value[:_NAME_LIMIT].rpartition("#")[2].partition(":")[0].strip().lower()
            if name not in ("", "none", "null", "error") and " " not in name:
                yield name


def _message(error: object) -> str:
    for name in ("message", "Message", "msg", "detail", "title"):
        text = clip(field(error, name), _MESSAGE_LIMIT)
        if text:
            return text
    return ""


def _request_id(outer: object) -> object:
    known = field(outer, "request_id")
    return known if isinstance(known, str) else attribute(outer, "_request_id")
