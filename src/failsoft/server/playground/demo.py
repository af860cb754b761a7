"""What the demo runs beside the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Demo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the playground may break.

    ``simulator`` is the address of the one that plays the models. ``cut_redis`` cuts the service
    off from its Redis, given true, and lets it through again; ``None`` where it cannot, and
    ``no_redis`` says why and what to do. ``log_on_disk`` keeps the request log there although there
    is a Redis: one that keeps nothing is no place for it.
    """

    simulator: str
    cut_redis: Callable[[bool], Awaitable[None]] | None = None
    no_redis: str = ""
    log_on_disk: bool = False
