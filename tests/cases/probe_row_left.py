"""A full disk left the log's own trial row in the file: the next short trouble ends nothing."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from case import hello, saw, upstream
from server_kit import call

from failsoft import Failsoft
from failsoft.server import create_app

LIMIT_SECONDS = 60


async def ask(app, key):
    return await call(app, "/api/chat", {"message": "Hi"}, headers={"idempotency-key": key})


async def log_is(app, *, up):
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            stores = (await call(app, "/api/health/ai", method="GET")).json["stores"]
            if next(one["up"] for one in stores if one["name"] == "request_log") == up:
                return
            await ask(app, f"{up}-{len(server.requests)}")


async def main():
    async with Failsoft() as ai:
        app = create_app(ai)
        await log_is(app, up=True)
        saw("before it", (await ask(app, "before")).status, 200)
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as other:
            other.execute("INSERT INTO events (request, run, last, data) VALUES (0, 0, 0, x'00')")
            other.execute("BEGIN EXCLUSIVE")
            await log_is(app, up=False)
            saw("while it is locked", (await ask(app, "locked")).status, 200)
            other.execute("ROLLBACK")
            await log_is(app, up=True)
            left = other.execute("SELECT count(*) FROM events WHERE request = 0").fetchone()
        saw("rows left of trials", left[0], 0)
        before = len(server.requests)
        first, again = await ask(app, "pay"), await ask(app, "pay")
        saw("calls for a key sent twice", len(server.requests) - before, 1)
        saw("the same bytes", first.body == again.body, right=True)


server = upstream(hello, FAILSOFT_CACHE_ENABLED="false")
path = Path(os.environ["FAILSOFT_DATA_DIR"]) / "requests.db"
asyncio.run(main())
