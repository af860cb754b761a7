"""What keeps a drill from being run."""

from __future__ import annotations

from failsoft.errors import FailsoftError

__all__ = ["DrillError"]


class DrillError(FailsoftError):
    """A drill cannot be run or went on no longer; the line says what to do."""
