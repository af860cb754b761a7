"""The pytest plugin of failsoft: fixtures, and nothing of failsoft until one of them is used.

A package next to ``failsoft`` because pytest loads every installed plugin in every run: a run
without its fixtures pays for this file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from failsoft import Failsoft
    from failsoft.testing import FrozenTime, RunningSimulator

__all__ = ["failing_ai", "frozen_time", "no_waits", "simulator"]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A simulated Messages API and Chat Completions on a free port; the environment has it."""
    from failsoft.testing import RunningSimulator  # noqa: PLC0415 - see the module's docstring

    with RunningSimulator() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def failing_ai(tmp_path: Path) -> Iterator[Callable[..., Failsoft]]:
    """Makes a ``Failsoft`` whose models fail as said, see :class:`failsoft.testing.FailingAIs`."""
    from failsoft.testing import FailingAIs  # noqa: PLC0415 - see the module's docstring

    with FailingAIs(tmp_path) as make:
        yield make


@pytest.fixture
def frozen_time() -> Iterator[FrozenTime]:
    """Time that stands still in the test's event loop, see :class:`failsoft.testing.FrozenTime`."""
    from failsoft.testing import FrozenTime  # noqa: PLC0415 - see the module's docstring

    with FrozenTime() as time:
        yield time


@pytest.fixture
def no_waits() -> Iterator[list[float]]:
    """No ``retry`` waits: the seconds that were left out, see :func:`failsoft.testing.no_waits`."""
    from failsoft.testing import no_waits  # noqa: PLC0415 - see the module's docstring

    with no_waits() as waits:
        yield waits
