"""Telling whoever wants to know; what fails there is logged and breaks no call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVarTuple, Unpack

__all__ = ["tell"]

_log = logging.getLogger(__name__)

Told = TypeVarTuple("Told")


def tell(listener: Callable[[Unpack[Told]], object] | None, *told: *Told) -> None:
    """Call ``listener``, if there is one."""
    if listener is None:
        return
    try:
        listener(*told)
    except Exception:  # noqa: BLE001 - nobody's call depends on it
        _log.exception("a listener failed: %r", listener)
