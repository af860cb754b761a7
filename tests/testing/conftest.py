"""The plugin's fixtures, also where its entry point is not installed."""

from failsoft_pytest import failing_ai, frozen_time, simulator

__all__ = ["failing_ai", "frozen_time", "simulator"]
