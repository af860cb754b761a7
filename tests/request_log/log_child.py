"""Processes that use a request log, and the way to run them."""

import asyncio
import contextlib
import os
import resource
import sys
from pathlib import Path

from log_kit import DONE, feed, intent, opened, started, until

from failsoft.request_log.contract import Opened
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.storage.times import StoreTimes


class Child:
    """A process that plays one of the parts below."""

    def __init__(self, process):
        self._process = process

    async def line(self):
        async with asyncio.timeout(20):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    def go(self):
        self._process.stdin.write(b"go\n")

    async def rest(self):
        async with asyncio.timeout(20):
            out, _ = await self._process.communicate()
        assert self._process.returncode == 0
        return out.decode().splitlines()

    async def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._process._transport.close()


async def start_child(part, folder):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        part,
        folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return Child(process)


async def child(part, folder):
    """What a child says, line by line."""
    return await (await start_child(part, folder)).rest()


def say(*words):
    print(*words, flush=True)  # noqa: T201 - read by the test


async def told():
    await asyncio.to_thread(sys.stdin.readline)


async def fallen(log):
    async def tried():
        await log.open(intent())
        return not log.status.up

    await until(tried)
    return log.status.problem


async def hold(log):
    """Runs three requests until it is killed; one has written, one has not, one has ended."""
    (first, entry), (second, _), (third, over) = [await started(log, intent(k)) for k in "abc"]
    feed(entry, 1, 2, 3)
    entry.progress(1, None)
    await over.end(DONE)
    await asyncio.sleep(0.4)
    say(first.id, second.id, third.id)
    await asyncio.sleep(60)


async def sit(log):
    """Runs one request until it is killed."""
    say((await opened(log, intent())).id)
    await asyncio.sleep(60)


async def rush(log):
    """Opens one key fifty times at once, and says how often it was to run it."""
    await log.find("ready", "scope")
    say("ready")
    await told()
    found = await asyncio.gather(*(log.open(intent("k")) for _ in range(50)))
    say(sum(isinstance(one, Opened) for one in found))
    await told()


async def size(log):
    """Meets the limit on the size of files that a process may have, and is freed of it."""
    record = await opened(log, intent("k"))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (96 * 1024, hard))
    problem = await fallen(log)
    say("down")
    say(problem)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    async def risen():
        return log.status.up

    await until(risen)
    say("up")
    say("kept" if await log.find(record.id, record.scope) else "lost")


async def denied(log):
    """Has not the right to write in the folder."""
    problem = await fallen(log)
    say("down")
    say(problem)


async def main(part, folder):
    if part is denied and not os.getuid():
        await asyncio.to_thread(int)  # brings in what could not be read afterwards
        os.setuid(65534)  # root may write anywhere
    log = SqliteLog(Path(folder), times=StoreTimes(retry=0.05))
    log.start(on_cancel=lambda request, run: say("cancel", request, run))
    await part(log)
    await log.aclose()


if __name__ == "__main__":
    parts = {"hold": hold, "sit": sit, "rush": rush, "size": size, "denied": denied}
    asyncio.run(main(parts[sys.argv[1]], sys.argv[2]))
