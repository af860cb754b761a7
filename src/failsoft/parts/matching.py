"""Which exceptions somebody means: by their class, or by asking."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import cast

__all__ = ["Which", "matcher"]

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
