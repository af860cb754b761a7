"""What a process that was forked begins with."""

from __future__ import annotations

import os
from collections.abc import Callable
from weakref import WeakMethod

__all__ = ["in_every_child"]


def in_every_child(method: Callable[[], None]) -> None:
    """Have a bound ``method`` called first in every process that is forked from this one.

    For as long as its object lives, which is not kept alive by it. A child has the parent's memory
    and none of its threads: what they hold, locks among them, is never given back. Python keeps a
    few hundred bytes for each call of this until the process ends.
    """
    if not hasattr(os, "register_at_fork"):
        return  # no system without it can fork
    weak = WeakMethod(method)

    def forked() -> None:
        if (found := weak()) is not None:
            found()

    os.register_at_fork(after_in_child=forked)
