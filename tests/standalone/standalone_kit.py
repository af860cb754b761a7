"""Failures as the wire has them, and functions that fail as said."""

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from failsoft.classify import ReplyFailed

__all__ = ["HIGH", "LOW", "Dice", "Flaky", "coroutine", "flaky", "later", "reply"]


def reply(status: int, kind: str = "", **headers: str) -> ReplyFailed:
    """An error reply; ``retry_after`` becomes ``retry-after``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"type": "error", "error": {"type": kind, "message": "no"}} if kind else None
    return ReplyFailed("no", status=status, headers=named, body=body)


class Dice(Random):
    """Dice that always land at one end."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value


LOW, HIGH = Dice(0.0), Dice(1.0 - 2**-53)


class Flaky:
    """Raises what it is given, one a call, then returns."""

    def __init__(self, *errors: BaseException, then: Any = "done") -> None:
        self.errors: Iterator[BaseException] = iter(errors)
        self.then = then
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any) -> Any:
        self.calls.append(args)
        for error in self.errors:
            raise error
        return self.then


def flaky(*errors: BaseException, then: Any = "done") -> Flaky:
    return Flaky(*errors, then=then)


def later(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The same as an asynchronous function."""

    async def asynchronous(*args: Any) -> Any:
        await asyncio.sleep(0)
        return fn(*args)

    return asynchronous


def coroutine(fn: Callable[..., Any]) -> Callable[..., Any]:
    """As SDKs and wrappers do it: a plain function that gives a coroutine."""

    def plain(*args: Any) -> Any:
        return later(fn)(*args)

    return plain
