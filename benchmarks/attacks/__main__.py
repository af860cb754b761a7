"""What was tried against failsoft, how often, and what was lost of it.

    python -m benchmarks.attacks [--bytes 1000000000] [--only NAME] [--write]

Serves a real service on loopback, attacks it without a key, kills it, cuts and garbles what it
reads, takes its request log away, and counts. ``--write`` puts the table into
``docs/reliability.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from benchmarks.attacks.connections import documented, large_bodies, odd_ways, raw_http
from benchmarks.attacks.log_faults import disk_faults, redis_faults
from benchmarks.attacks.service import Row
from benchmarks.attacks.stalls import stalls
from benchmarks.attacks.streams import asks, cancelled, cut_streams, garbled_streams, killed

PAGE = Path("docs/reliability.md")
BEGIN, END = "<!-- attacks: begin -->\n", "<!-- attacks: end -->\n"


def parts(total: int) -> Mapping[str, AsyncIterator[Row]]:
    """Every attack by the name that ``--only`` takes."""
    return {
        "asks": asks(10_000),
        "cut": cut_streams(1_000),
        "garbled": garbled_streams(1_000),
        "cancelled": cancelled(500),
        "raw": raw_http(),
        "schema": documented(),
        "killed": killed(600),
        "redis": redis_faults(),
        "disk": disk_faults(),
        "stalls": stalls(),
        "bodies": large_bodies(),
        "odd": odd_ways(total),
    }


async def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--only", nargs="+", choices=list(parts(0)))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    lines = ["| what was tried | how often | what came of it | held |", "|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for name, part in parts(given.bytes).items():
        if given.only and name not in given.only:
            continue
        began = time.monotonic()
        async for row in part:
            lines.append(f"| {' | '.join(row)} |")
            print(lines[-1], flush=True)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if given.write:
        write("\n".join(lines))


def write(table: str) -> None:
    """Put it into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    asyncio.run(main())
