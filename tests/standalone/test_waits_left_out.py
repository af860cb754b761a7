"""Without ``no_waits`` a retry does wait, and with it the process does again afterwards."""

import asyncio
import time

import pytest
from standalone_kit import flaky

from failsoft import retry
from failsoft.standalone import pause
from failsoft.testing import no_waits

SOON = retry(base_delay_seconds=0.04, max_delay_seconds=0.04, jitter="quarter")


def test_it_waits_in_the_thread():
    began = time.monotonic()
    SOON.call(flaky(ConnectionResetError()))
    assert time.monotonic() - began >= 0.03


async def test_it_waits_in_the_loop(frozen_time):
    began = frozen_time.now

    @retry(jitter="quarter")
    async def fails_twice(fn=flaky(ConnectionResetError(), ConnectionResetError())):  # noqa: B008 - one for all calls
        return fn()

    await fails_twice()
    assert 0.75 + 1.5 <= frozen_time.now - began <= 1.25 + 2.5


def test_afterwards_all_is_as_before():
    before = pause.blocking, pause.in_loop
    with no_waits() as waits:
        SOON.call(flaky(ConnectionResetError()))
    assert len(waits) == 1
    assert (pause.blocking, pause.in_loop) == before


async def test_a_cancellation_ends_a_wait():
    waiting = asyncio.Event()

    @retry(base_delay_seconds=60, jitter="quarter", on_retry=lambda _: waiting.set())
    async def fail():
        raise ConnectionResetError

    task = asyncio.create_task(fail())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
