"""Functions that users pass: their kind, exceptions by class or predicate, listeners.

A listener that raises is logged and breaks no call.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVarTuple, Unpack, cast

__all__ = ["Which", "is_async", "matcher", "refuse_generators", "tell"]


def is_async(fn: Callable[..., Any]) -> bool:
    """Whether calling ``fn`` surely gives a coroutine; some that do cannot be known beforehand."""
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


_log = logging.getLogger(__name__)

Which = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""A class of exceptions, several, or a function that says whether it is one of those meant."""


def matcher(option: str, which: Which) -> Callable[[Exception], bool]:
    """Whether an exception is meant; raises :class:`TypeError` that names the ``option``."""
    kinds = which if isinstance(which, tuple) else (which,)
    if all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        return lambda error: isinstance(error, cast("tuple[type[Exception], ...]", kinds))
    if isinstance(which, type | tuple) or not callable(which):
        raise TypeError(
            f"{option}: must be a class of exceptions, a tuple of them, or a function that is "
            f"given the exception and returns whether it is meant; it is {which!r}"
        )
    return partial(_asked, option, which)


def _asked(option: str, which: Callable[[Exception], bool], error: Exception) -> bool:
    """What the function says; one that fails itself is logged, and hides no error: no."""
    try:
        return bool(which(error))
    except Exception:  # noqa: BLE001 - the error it was asked about matters more
        _log.exception("%s failed on %s: taken for a no", option, type(error).__name__)
        return False


Told = TypeVarTuple("Told")


def tell(listener: Callable[[Unpack[Told]], object] | None, *told: *Told) -> None:
    """Call ``listener``, if there is one."""
    if listener is None:
        return
    try:
        listener(*told)
    except Exception:  # noqa: BLE001 - no call depends on it
        _log.exception("a listener failed: %r", listener)
