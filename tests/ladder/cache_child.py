"""A process that uses a cache, and the way to run it: it does what it is told, line by line."""

import asyncio
import contextlib
import sys
from pathlib import Path

from cache_kit import Words, found, keep, read_word_lists, until

from failsoft.ladder.cache.cache import SemanticCache
from failsoft.storage.times import StoreTimes


class Child:
    """Another process on the same file."""

    def __init__(self, process):
        self._process = process

    async def do(self, *words):
        """Have it done: ``keep question answer``, ``find question``, ``status``; what it says."""
        self._process.stdin.write("\t".join(words).encode() + b"\n")
        async with asyncio.timeout(20):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._process._transport.close()


async def start_child(path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return Child(process)


async def obey(cache, words):
    match words:
        case ["keep", question, answer]:

            async def kept():
                keep(cache, answer, question=question)
                return await found(cache, question) == answer

            await until(kept)
            return "kept"
        case ["flood", *names]:
            for number in range(300):
                keep(cache, "x", question=f"What is {names[0]} {number}?")
            return "kept"
        case ["find", question]:
            return await found(cache, question) or ""
    return cache.status.problem


async def main(path):
    read_word_lists()
    cache = SemanticCache(Path(path), embedder=Words(), times=StoreTimes(retry=0.05))
    cache.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        said = await obey(cache, line.rstrip("\n").split("\t"))
        print(said, flush=True)  # noqa: T201 - read by the test
    await cache.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
