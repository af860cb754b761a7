"""What the body of a reply, or the data of an event, says: an error, a message, or neither.

Read are the shapes in use: Anthropic's and OpenAI's error objects (whole, or the inner object that
OpenAI's SDK keeps), Google's ``error.status``, Bedrock's ``__type``, problem details, a bare
string; as bytes, text, JSON values or an SDK's model objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from failsoft.classify.untrusted import attribute, clip, field, status_number

__all__ = ["Body", "Shape", "read_body"]

_JSON_LIMIT: Final = 256 * 1024  # characters; error bodies have a few hundred
_MESSAGE_LIMIT: Final = 2_000
_NAME_LIMIT: Final = 100
_DETAILS_LIMIT: Final = 20
_EVENT_DATA = re.compile(r"(?m)^data: ?(.*)$")
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
    Google's ``RetryInfo`` says (``45.8s``).
    """

    shape: Shape
    codes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    number: int | None = None
    message: str = ""
    request_id: object = None
    stop: str | None = None
    delay: str = ""


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
    value = _parsed(_last_event(text) if text.startswith(("event:", "data:")) else text)
    if isinstance(value, dict | list):
        return _from_value(value)
    return Body(shape=Shape.OTHER, message=text[:_MESSAGE_LIMIT])


def _last_event(text: str) -> str:
    data = [line for line in _EVENT_DATA.findall(text) if line != "[DONE]"]
    return data[-1] if data else ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _from_value(value: object) -> Body:
    if isinstance(value, list | tuple):  # Google's streams send errors as a list of one
        value = value[0] if value else None
    error = field(value, "error")
    if error:
        return _error(error, value)
    if field(value, "type") == "error":
        return _error(value, value)
    stop = _stop(value)
    if stop is not None:
        return Body(shape=Shape.MESSAGE, stop=stop, request_id=_request_id(value))
    if isinstance(value, Mapping):
        found = _error(value, value)
        if found.codes or found.types or found.number or found.message:
            return found
    return Body(shape=Shape.OTHER)


def _stop(value: object) -> str | None:
    """The stop reason of a message; empty where a message has none, ``None`` for no message."""
    stop = field(value, "stop_reason")
    if isinstance(stop, str):
        return stop
    if field(value, "type") == "message":
        return ""
    choices = field(value, "choices")
    if isinstance(choices, list | tuple) and choices:
        finish = field(choices[0], "finish_reason")
        return finish if isinstance(finish, str) else ""
    return None


def _error(error: object, outer: object) -> Body:
    if isinstance(error, str):
        plain = Body(shape=Shape.ERROR, message=error[:_MESSAGE_LIMIT])
        return plain if outer is error else _beside(plain, outer)
    detail = field(error, "detail")
    if isinstance(detail, Mapping) and detail is not error:
        error = field(detail, "error") if isinstance(field(detail, "error"), Mapping) else detail
    status = field(error, "status")
    return Body(
        shape=Shape.ERROR,
        codes=tuple(_codes(error)),
        types=tuple(_names((field(error, "type"), field(error, "__type")))),
        number=status_number(field(error, "code")) or status_number(status),
        message=_message(error),
        request_id=_request_id(outer),
        delay=_delay(field(error, "details")),
    )


def _delay(details: object) -> str:
    several = details[:_DETAILS_LIMIT] if isinstance(details, list | tuple) else ()
    told = (clip(field(detail, "retryDelay"), _NAME_LIMIT) for detail in several)
    return next(filter(None, told), "")


def _beside(plain: Body, outer: object) -> Body:
    """``{"error": "some_code", "message": …}``: the string is a name, with the text next to it."""
    words = clip(field(outer, "message"), _MESSAGE_LIMIT)
    return Body(
        shape=Shape.ERROR,
        codes=() if " " in plain.message else tuple(_names((plain.message,))),
        number=status_number(field(outer, "status")) or status_number(field(outer, "code")),
        message=words or plain.message,
        request_id=_request_id(outer),
    )


def _codes(error: object) -> Iterator[str]:
    yield from _names(
        (
            field(field(error, "details"), "error_code"),
            field(error, "error_code"),
            field(error, "code"),
            field(field(error, "innererror"), "code"),
        )
    )
    status = field(error, "status")
    if isinstance(status, str) and _GOOGLE_STATUS.fullmatch(status):
        yield status  # its capitals keep NOT_FOUND apart from anybody's not_found


def _names(values: Iterable[object]) -> Iterator[str]:
    """Names in lower case, without the namespace and the address that AWS puts around them."""
    for value in values:
        if isinstance(value, str) and status_number(value) is None:
            name = value[:_NAME_LIMIT].rpartition("#")[2].partition(":")[0].strip().lower()
            if name not in ("", "none", "null", "error"):
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
