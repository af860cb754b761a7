"""Commands to Redis and their replies, with a limit on how long that may take."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Final, TypeVar

from failsoft.requests.shared.outage import is_outage
from failsoft.requests.shared.scripts import SCRIPTS, script
from failsoft.state.connection import REDIS_TIMEOUT_SECONDS, connect, in_time

__all__ = ["Command", "Wire", "answered"]

T = TypeVar("T")

Command = tuple[bytes | str | int | float, ...]

# Sent in one go: so much is carried out and replied to well within the time there is for it.
_TOGETHER: Final = 128
_TOGETHER_BYTES: Final = 512 * 1024


class Wire:
    """One connection, for one event loop and one user at a time.

    ``where`` names the server, without what it is entered by.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url, timeout=None)  # what is sent together is timed together
        options = self._client.connection_pool.connection_kwargs
        host, port = options.get("host", "localhost"), options.get("port", 6379)
        self.where = options.get("path") or f"{host}:{port}"

    async def prepare(self) -> None:
        """Make the scripts known. Raises what :meth:`send` raises."""
        await answered(self._load())

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies; of one that was refused by itself, the error.

        Raises an :class:`Exception` of the library's or :class:`OSError` where the server cannot be
        used, or does not answer in time: each of them may have been carried out then, or not.
        """
        replies: list[Any] = []
        for group in _groups(commands):
            replies += await answered(self._pass_prepared(group))
        return replies

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _load(self) -> None:
        await self._pass([("SCRIPT", "LOAD", script(name).text) for name in SCRIPTS])

    async def _pass_prepared(self, commands: Sequence[Command]) -> list[Any]:
        replies = await self._pass(commands)
        if any(type(reply).__name__ == "NoScriptError" for reply in replies):
            await self._load()  # a server that was started again, or took another's place
            replies = await self._pass(commands)
        return replies

    async def _pass(self, commands: Sequence[Command]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception) and is_outage(reply):
                raise reply
        return replies


async def answered(work: Awaitable[T]) -> T:
    """What comes of ``work`` in the time there is. Raises :class:`TimeoutError`."""
    return await in_time(work, REDIS_TIMEOUT_SECONDS)


def _groups(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    start = size = 0
    for at, command in enumerate(commands):
        size += sum(len(part) for part in command if isinstance(part, bytes))
        if at > start and (size > _TOGETHER_BYTES or at - start >= _TOGETHER):
            yield commands[start:at]
            start, size = at, 0
    if commands:
        yield commands[start:]
