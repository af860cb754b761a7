"""Reads the JSON of a request, whoever sent it."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from contextlib import suppress
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.types import Receive

from failsoft.server.attend import GoneError
from failsoft.server.problem import Problem

__all__ = ["read_json", "shown_name"]

_JSON = re.compile(
    r"application/(?:json|[a-z0-9.!#$&^_-]+\+json)[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL
)
_NAME_CHARS = 64


async def read_json(request: Request, *, limit: int, seconds: float) -> Any:
    """The JSON value in the body of ``request``: at most ``limit`` bytes, in by ``seconds``.

    Raises :class:`~failsoft.server.problem.Problem` for whatever is not that, and
    :class:`~failsoft.server.attend.GoneError` where the client leaves first.
    """
    _check_type(request)
    _check_length(request.headers.get("content-length", ""), limit)
    try:
        async with asyncio.timeout(seconds):
            raw = await _read(request.receive, limit)
    except TimeoutError:
        raise Problem(
            408,
            f"The request body was not complete after {seconds:g} seconds. Send it again.",
            headers={"connection": "close"},
        ) from None
    return _parse(raw)


def shown_name(name: str) -> str:
    """A name that a caller sent, safe and short enough to be told back."""
    return ascii(name[:_NAME_CHARS])[1:-1] + "…" * (len(name) > _NAME_CHARS)


def _check_type(request: Request) -> None:
    kind = request.headers.get("content-type")
    # A page of another site can send a body without a type unasked, but never as JSON.
    if kind is None and "origin" not in request.headers:
        return
    if kind is None or not _JSON.fullmatch(kind.strip()):
        raise Problem.of_field(415, "Content-Type", "must be application/json")


def _check_length(declared: str, limit: int) -> None:
    with suppress(ValueError):  # its form is the server's to check, and what comes in is counted
        if int(declared) > limit:
            raise _too_large(limit)


async def _read(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> Problem:
    return Problem(
        413, f"The request body may have at most {limit} bytes. Shorten the message or the history."
    )


def _parse(raw: bytes) -> Any:
    if not raw.strip():
        raise Problem.of_field(400, "body", "is empty; send a JSON object")
    try:
        return json.loads(
            raw.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_once
        )
    except UnicodeDecodeError as error:
        problem = f"must be UTF-8; the byte at {error.start} is not"
    except json.JSONDecodeError as error:
        problem = f"must be JSON; it goes wrong at line {error.lineno}, column {error.colno}"
    except RecursionError:
        problem = "must be JSON that is not nested so deeply"
    except ValueError:
        problem = "must be JSON whose numbers are not so long"
    raise Problem.of_field(400, "body", problem)


def _no_number(name: str) -> NoReturn:
    raise Problem.of_field(400, "body", f"must be JSON; {name} is not a number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name, n in Counter(names).items() if n > 1)
        raise Problem.of_field(400, shown_name(twice), "is there twice; send it once")
    return found
