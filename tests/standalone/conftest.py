"""The plugin's fixtures, also where its entry point is not installed."""

from failsoft_pytest import frozen_time, no_waits

__all__ = ["frozen_time", "no_waits"]
