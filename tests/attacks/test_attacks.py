"""What ``make attacks`` tries, with small numbers: every row of its table holds."""

import shutil

import pytest
from benchmarks.attacks.connections import odd_ways, raw_http
from benchmarks.attacks.log_faults import DISK_FAULTS, disk_faults
from benchmarks.attacks.streams import asks, cancelled, cut_streams, garbled_streams, killed

PARTS = {
    "asks": lambda: asks(100),
    "cut streams": lambda: cut_streams(40),
    "garbled streams": lambda: garbled_streams(60),
    "cancelled": lambda: cancelled(60),
    "odd requests": raw_http,
    "killed": lambda: killed(20),
    "odd ways": lambda: odd_ways(2_000_000),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
async def test_it_holds(part):
    rows = [row async for row in part()]
    assert [row for row in rows if row[-1] != "yes"] == []
    assert rows


@pytest.mark.skipif(shutil.which("fiu-ctrl") is None, reason="needs Debian's fiu-utils")
@pytest.mark.parametrize("name", ["a full disk (ENOSPC on pwrite)", "EIO on pread"])
async def test_a_failing_disk_loses_no_key(name):
    (row,) = [row async for row in disk_faults({name: DISK_FAULTS[name]})]
    assert row[-1] == "yes", row
    assert "30 said `unprotected`" in row[2]  # the fault struck
