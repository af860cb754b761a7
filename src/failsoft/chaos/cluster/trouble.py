"""What keeps several servers from being run."""

from __future__ import annotations

from failsoft.errors import FailsoftError

__all__ = ["ClusterError"]


class ClusterError(FailsoftError):
    """The servers cannot be run or go on no longer; the line says what to do."""
