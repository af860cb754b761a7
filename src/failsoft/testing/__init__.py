"""For an application's own tests: models that fail as said, and a check of what a person sees.

The fixtures of pytest are in ``failsoft_pytest``; everything here works without pytest too.
"""

from __future__ import annotations

from failsoft.testing.check import acheck_fails_soft, check_fails_soft
from failsoft.testing.check_report import Finding, Report, ReportRow
from failsoft.testing.exchange import Ask
from failsoft.testing.failing_ai import FailingAIs
from failsoft.testing.frozen_time import FrozenTime, no_waits
from failsoft.testing.simulator import RunningSimulator

__all__ = [
    "Ask",
    "FailingAIs",
    "Finding",
    "FrozenTime",
    "Report",
    "ReportRow",
    "RunningSimulator",
    "acheck_fails_soft",
    "check_fails_soft",
    "no_waits",
]
