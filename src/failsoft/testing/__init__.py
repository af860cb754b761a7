"""For an application's own tests: models that fail as said, and a check of what a person sees.

The fixtures of pytest are in ``failsoft_pytest``; everything here works without pytest too.
"""

from __future__ import annotations

from failsoft.testing.asking import Ask
from failsoft.testing.check import acheck_fails_soft, check_fails_soft
from failsoft.testing.failing import FailingAIs
from failsoft.testing.frozen import FrozenTime
from failsoft.testing.report import Finding, Report, Row
from failsoft.testing.upstream import RunningSimulator
from failsoft.testing.waits import no_waits

__all__ = [
    "Ask",
    "FailingAIs",
    "Finding",
    "FrozenTime",
    "Report",
    "Row",
    "RunningSimulator",
    "acheck_fails_soft",
    "check_fails_soft",
    "no_waits",
]
