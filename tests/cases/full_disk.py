"""The disk fills up, then there is room again: all is answered, and the log is back by itself."""

import asyncio
import os
import resource
import signal

from case import hello, saw, upstream
from server_kit import call

from failsoft import Failsoft
from failsoft.server import create_app

ROOM = 200_000
LIMIT_SECONDS = 60


async def ask(app, key):
    body, headers = {"message": f"{key} {'y' * 3000}"}, {"idempotency-key": key}
    return await call(app, "/api/chat", body, headers=headers)


async def log_is(app, *, up):
    """The status codes of what is asked until the log is up or down."""
    codes = set()
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            for number in range(5):
                codes.add((await ask(app, f"{up}-{len(server.requests)}-{number}")).status)
            stores = (await call(app, "/api/health/ai", method="GET")).json["stores"]
            if next(one["up"] for one in stores if one["name"] == "request_log") == up:
                return codes


def limit(soft):
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))


async def main():
    async with Failsoft() as ai:
        app = create_app(ai)
        saw("while there is room", await log_is(app, up=True), {200})
        limit(max(entry.stat().st_size for entry in os.scandir(folder)) + ROOM)
        saw("while the disk is full", await log_is(app, up=False), {200})
        limit(resource.RLIM_INFINITY)
        saw("until the log is back", await log_is(app, up=True), {200})
        before = len(server.requests)
        first, again = await ask(app, "pay"), await ask(app, "pay")
        saw("calls for a key sent twice", len(server.requests) - before, 1)
        saw("the same bytes", first.body == again.body, right=True)


signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
server = upstream(hello, FAILSOFT_CACHE_ENABLED="false")
folder = os.environ["FAILSOFT_DATA_DIR"]
asyncio.run(main())
