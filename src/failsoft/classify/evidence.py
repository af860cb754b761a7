"""Everything that is known of one failure, read once from the failure and its reply's headers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from failsoft.classify.bodies import Body, Shape, read_body
from failsoft.classify.exceptions import PROXY_ERRORS, chain_of, words_of
from failsoft.classify.retry_after import LIMIT_PREFIXES
from failsoft.classify.untrusted import HOSTILE, attribute, clip, status_number
from failsoft.classify.untrusted import field as item
from failsoft.classify.wire_errors import StreamFailed, WireFailure

__all__ = ["Evidence", "gather", "read_headers"]


_AWS_NAMES: Final = ("x-amzn-errortype", ":exception-type", ":error-code")
_KEPT: Final = frozenset(
    {
        *_AWS_NAMES,
        "date",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-amzn-requestid",
        "x-request-id",
        "x-should-retry",
    }
)
_COUNT_LIMIT: Final = 500
_VALUE_LIMIT: Final = 200


def read_headers(raw: object) -> dict[str, str]:
    """Names in lower case to values, those of a repeated header joined by ", " (RFC 9110, 5.3).

    Takes mappings and pairs.
    """
    found: dict[str, str] = {}
    try:
        for name, value in islice(_pairs(raw), _COUNT_LIMIT):
            key = (name if type(name) is str else clip(name, _VALUE_LIMIT)).lower()
            if key in _KEPT or key.startswith(LIMIT_PREFIXES):
                _add_header(found, key, clip(value, _VALUE_LIMIT))
    except HOSTILE:  # what was read until then stands
        pass
    return found


def _add_header(headers: dict[str, str], name: str, value: str) -> None:
    """Add one line of a head; ``name`` is in lower case. A line said twice is said once."""
    before = headers.setdefault(name, value)
    if before != value:
        headers[name] = f"{before}, {value}"


def _pairs(raw: object) -> Iterable[Any]:
    items = attribute(raw, "items")
    if callable(items):
        pairs: Iterable[Any] = items()
        return pairs
    return raw if isinstance(raw, list | tuple) else ()


_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_ID_HEADERS: Final = ("request-id", "x-request-id", "x-amzn-requestid")
_SAID_STATUS = re.compile(r"(?i)\b(?:error code|status code|status|http|api error)\W{1,3}(\d{3})\b")
_TELLING: Final = ("type", "code", "error_code")
_PARSER: Final = "aiohttp.http_exceptions"
_TEXT_LIMIT: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``status`` is the wire's. ``replied`` means a whole reply was seen, not a stream's event.

    ``in_stream`` means that the failure came in a stream that had begun well.

    ``links`` are an exception and its causes, outermost first; ``source`` names what it was.
    """

    source: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body
    replied: bool = False
    in_stream: bool = False
    links: tuple[BaseException, ...] = ()
    request_id: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Codes, then types, then the names that AWS puts into the head of a reply or a frame."""
        several = (self.headers.get(name, "") for name in _AWS_NAMES)
        heads = (value.partition(":")[0].strip().lower() for value in several)
        return (*self.body.codes, *self.body.types, *filter(None, heads))

    @property
    def error_status(self) -> int | None:
        """The status where it says anything; under a 200 the number that the body gives."""
        for status in (self.status, self.body.number):
            if status is not None and status >= 400:  # noqa: PLR2004 - where errors begin
                return status
        return None


def gather(failure: object) -> Evidence:
    """Read the evidence of a failure. Pure; what cannot be read is left out."""
    if isinstance(failure, BaseException):
        return _of_exception(failure)
    if isinstance(failure, str | bytes | bytearray):
        return _of_text(failure)
    if not isinstance(failure, Mapping | list | tuple):
        status = _status(failure)
        if status is not None:
            return _of_reply(failure, status)
    body = read_body(failure)
    return Evidence(
        source=type(failure).__name__, body=body, request_id=_request_id(failure, body, {})
    )


def _of_exception(failure: BaseException) -> Evidence:
    links = chain_of(failure)
    source = " < ".join(type(link).__name__ for link in links)
    speaker = next((link for link in links if _speaks(link)), None)
    if speaker is None:
        return Evidence(source=source, body=read_body(None), links=links)
    if isinstance(speaker, WireFailure):
        status, headers = status_number(speaker.status), read_headers(speaker.headers)
        body = read_body(speaker.body)
        in_stream = isinstance(speaker, StreamFailed)
    else:
        status, headers, body = _of_sdk(speaker)
        in_stream = status in (None, 200)
    return Evidence(
        source=source,
        status=status,
        headers=headers,
        body=body,
        replied=isinstance(speaker, WireFailure) and not in_stream,
        in_stream=in_stream,
        links=links,
        request_id=_request_id(speaker, body, headers),
    )


def _of_sdk(speaker: BaseException) -> tuple[int | None, dict[str, str], Body]:
    """The status, the headers and the body that an SDK's exception keeps."""
    response = attribute(speaker, "response")
    if _is_of_botocore(response):
        head = item(response, "ResponseMetadata")
        made_up = type(speaker).__name__ == "EventStreamError"  # 400, of a frame under a 200
        status = None if made_up else status_number(item(head, "HTTPStatusCode"))
        return status, read_headers(item(head, "HTTPHeaders")), read_body(response)
    headers = attribute(speaker, "headers") or attribute(response, "headers")
    return _status(speaker), read_headers(headers), _body_of(speaker, response)


def _is_of_botocore(response: object) -> bool:
    return isinstance(response, Mapping) and isinstance(item(response, "Error"), Mapping)


def _speaks(link: BaseException) -> bool:
    """Whether the exception carries a reply, rather than being about the lack of one."""
    if isinstance(link, WireFailure):
        return True
    # Where what came was not HTTP, aiohttp's parser makes up a status of 400.
    if any(type(made).__module__ == _PARSER for made in (link, attribute(link, "__cause__"))):
        return False
    if type(link).__name__ in PROXY_ERRORS:  # the reply is the proxy's own
        return False
    told = any(isinstance(attribute(link, name), str) for name in _TELLING)
    if _is_of_botocore(attribute(link, "response")):
        return True
    return told or _status(link) is not None or attribute(link, "body") is not None


def _body_of(speaker: BaseException, response: object) -> Body:
    raw = attribute(speaker, "body")
    if isinstance(raw, str) and _status(speaker) is None:
        raw = {"error": raw}  # openai keeps the error of an event alone, which may be a text
    body = read_body(raw)
    if body.shape is Shape.ABSENT and response is not None:
        body = _content(response)
    if body.shape is Shape.ABSENT:  # google-genai keeps it there
        body = read_body(attribute(speaker, "details"))
    if body.codes or body.types or body.shape is Shape.MESSAGE:
        return body
    return _with_attributes(body, speaker)


def _with_attributes(body: Body, speaker: BaseException) -> Body:
    """The facts in an SDK exception's attributes, where its body is gone or unreadable."""
    names = {name: attribute(speaker, name) for name in _TELLING}
    if not any(isinstance(value, str) for value in names.values()):
        return body
    told = read_body({"error": {**names, "message": body.message or words_of(speaker)}})
    return told if told.codes or told.types else body


def _of_reply(reply: object, status: int) -> Evidence:
    body = _content(reply)
    headers = read_headers(attribute(reply, "headers"))
    return Evidence(
        source=type(reply).__name__,
        status=status,
        headers=headers,
        body=body,
        replied=True,
        request_id=_request_id(reply, body, headers),
    )


def _of_text(raw: str | bytes | bytearray) -> Evidence:
    """An HTML page that an SDK gave as its result, an error body, or an error's printed text."""
    body = read_body(raw)
    text = clip(raw, _TEXT_LIMIT)
    said = _SAID_STATUS.search(text)
    if body.shape is Shape.OTHER:
        body = _embedded(text) or body
    status = int(said[1]) if said and body.shape is not Shape.HTML else None
    return Evidence(
        source="text",
        status=status,
        body=body,
        replied=body.shape is Shape.HTML,
        request_id=_request_id(None, body, {}),
    )


def _embedded(text: str) -> Body | None:
    """The error body inside a line such as ``API Error: 529 {"type":"error", …}``."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        value = json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None
    return read_body(value)


def _content(reply: object) -> Body:
    for name in ("body", "content", "text"):
        raw = attribute(reply, name)
        if isinstance(raw, str | bytes | bytearray | Mapping):
            return read_body(raw)
    return read_body(None)


def _status(thing: object) -> int | None:
    for name in ("status_code", "status"):
        status = status_number(attribute(thing, name))
        if status is not None:
            return status
    response = attribute(thing, "response")
    for value in (
        attribute(response, "status_code"),
        attribute(response, "status"),
        attribute(thing, "code"),
    ):
        status = status_number(value)
        if status is not None:
            return status
    return None


def _request_id(thing: Any, body: Body, headers: Mapping[str, str]) -> str | None:
    known = (attribute(thing, "request_id"), body.request_id)
    said = (headers.get(name, "").partition(",")[0] for name in _ID_HEADERS)
    for value in (*said, *known):
        if isinstance(value, str) and _ID.fullmatch(value):
            return value
    return None
