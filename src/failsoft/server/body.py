"""What comes from a client: the JSON body of its request, and its hanging up.

A body is read within bounds of size, time, and what all requests may hold.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn, TypeVar

from starlette.requests import Request
from starlette.types import Receive

from failsoft.server.problem import Problem

__all__ = ["BodyBytes", "GoneError", "attend", "hang_up", "read_json", "shown_name"]


_JSON = re.compile(
    r"application/(?:json|[a-z0-9.!#$&^_-]+\+json)[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL
)


async def read_json(
    request: Request, *, limit: int, seconds: float, take: Callable[[int], None] | None = None
) -> Any:
    """The JSON value in the body of ``request``: at most ``limit`` bytes, in by ``seconds``.

    ``take`` gets the size of every part; see :meth:`BodyBytes.held`.

    Raises :class:`~failsoft.server.problem.Problem` for whatever is not that, and
    :class:`~failsoft.server.body.GoneError` where the client leaves first.
    """
    _check_type(request)
    _check_encoding(request)
    _check_length(request.headers.get("content-length", ""), limit)
    try:
        async with asyncio.timeout(seconds):
            raw = await _read(request.receive, limit, take)
    except TimeoutError:
        raise Problem(
            408,
            f"The request body was not complete after {seconds:g} seconds. Send it again.",
            headers={"connection": "close"},
        ) from None
    return _parse(raw)


_NAME_CHARS = 64


def shown_name(name: str) -> str:
    """A name that a caller sent, safe and short enough to be sent back."""
    return ascii(name[:_NAME_CHARS])[1:-1] + "…" * (len(name) > _NAME_CHARS)


class BodyBytes:
    """How many bytes of bodies the requests of this process hold, and how many they may."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """Gives what a request is to call for every part that it holds until the block ends.

        The call raises :class:`~failsoft.server.problem.Problem` (503) where that is too much.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self._held + size > self._limit:
                raise Problem(
                    503,
                    "Too many large requests at a time. Send it again in a moment.",
                    headers={"retry-after": "1", "connection": "close"},
                )
            self._held += size
            mine += size

        try:
            yield take
        finally:
            self._held -= mine


def _check_type(request: Request) -> None:
    kind = request.headers.get("content-type")
    # A page of another site can send a body without a type unasked, but never as JSON.
    if kind is None and "origin" not in request.headers:
        return
    if kind is None or not _JSON.fullmatch(kind.strip()):
        what = "must be application/json; with curl: -H 'content-type: application/json'"
        raise Problem.of_field(415, "Content-Type", what)


def _check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        what = "is not read: send the body as it is, without compressing it"
        problem = Problem.of_field(415, "Content-Encoding", what)
        problem.headers = {"accept-encoding": "identity"}
        raise problem


def _check_length(declared: str, limit: int) -> None:
    with suppress(ValueError):  # its form is the server's to check, and what comes in is counted
        if int(declared) > limit:
            raise _too_large(limit)


async def _read(receive: Receive, limit: int, take: Callable[[int], None] | None) -> bytes:
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
        if take is not None:
            take(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> Problem:
    return Problem(
        413, f"The request body may have at most {limit} bytes. Shorten the message or the history."
    )


# A parser that reads 1 MB of tiny values holds up everybody else for a quarter of a second.
_VALUES: Final = 20_000
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LONG: Final = re.compile(rb"\d{41}")
_DIGITS: Final = 40


def _parse(raw: bytes) -> Any:
    if not raw.strip():
        raise Problem.of_field(400, "body", "is empty; send a JSON object")
    if _values(raw) > _VALUES and _values(_STRING.sub(b"", raw)) > _VALUES:
        raise Problem.of_field(413, "body", f"may have at most {_VALUES} values")
    numbers = _SHORT_NUMBERS if _LONG.search(raw) else {}
    try:
        return json.loads(
            raw.decode("utf-8-sig"),
            parse_constant=_no_number,
            object_pairs_hook=_once,
            **numbers,
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


def _values(raw: bytes) -> int:
    """How many values there are, or a few more; what a text has of their signs counts too."""
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _short(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(said: str) -> Any:
        if len(said) > _DIGITS:  # reading them takes the square of their length
            raise ValueError
        return kind(said)

    return read


_SHORT_NUMBERS: Final[dict[str, Any]] = {"parse_int": _short(int), "parse_float": _short(float)}


def _no_number(name: str) -> NoReturn:
    raise Problem.of_field(400, "body", f"must be JSON; {name} is not a number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name, n in Counter(names).items() if n > 1)
        raise Problem.of_field(400, shown_name(twice), "is there twice; send it once")
    return found


T = TypeVar("T")


class GoneError(Exception):
    """The client left."""


async def attend(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Do ``work``. Raises :class:`GoneError` when the client leaves; the work has ended then."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(hang_up(receive))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise GoneError
    finally:
        for each in (task, leaving):
            each.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def hang_up(receive: Receive) -> None:
    """Return once the client has hung up; its request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
