"""What kind of function somebody has given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["is_async", "refuse_generators"]


def is_async(fn: Callable[..., Any]) -> bool:
    """Whether calling ``fn`` surely gives a coroutine; some that do cannot be told beforehand."""
    return _is(inspect.iscoroutinefunction, fn)


def refuse_generators(part: str, fn: Callable[..., Any]) -> None:
    """Raise :class:`TypeError` for what has done nothing yet when its call returns."""
    if _is(inspect.isgeneratorfunction, fn) or _is(inspect.isasyncgenfunction, fn):
        name = getattr(fn, "__qualname__", repr(fn))
        raise TypeError(
            f"{part}: {name} is a generator function: nothing has happened when its call returns, "
            "and half a stream cannot be tried again; give it a function that reads the stream to "
            "its end and returns the whole"
        )
    if not callable(fn):
        raise TypeError(f"{part}: must be given a function; it is {fn!r}")


def _is(kind: Callable[[Any], bool], fn: Any) -> bool:
    return kind(fn) or (not isinstance(fn, type) and kind(getattr(fn, "__call__", None)))  # noqa: B004 - not whether it is callable, but how
