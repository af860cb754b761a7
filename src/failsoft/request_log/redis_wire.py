"""Sends commands and scripts to Redis within a time limit, and reads the replies.

Each script is atomic. Errors that mean that Redis cannot be used become an outage with a message
for the operator.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

from failsoft.storage.redis import connect, in_time

__all__ = [
    "OWNERS",
    "PREFIX",
    "SCRIPTS",
    "Command",
    "Script",
    "Wire",
    "explain",
    "is_outage",
    "script",
    "slow",
]


PREFIX: Final = "failsoft:1"
"""All keys begin with it. The version is in it: two versions do not see each other's."""

OWNERS: Final = f"{PREFIX}:owners"
"""A sorted set: every process and the time of its last heartbeat."""

# Error codes that concern the server rather than one command. Before version 7 a script's error
# has its code somewhere within; for some the library has classes, and takes the code away.
_CODES: Final = re.compile(
    r"\b(BUSY|CLUSTERDOWN|DENIED|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|OOM"
    r"|READONLY|WRONGPASS)\b"
)
_CLASSES: Final = {
    "AuthenticationError": "NOAUTH",
    "AuthenticationWrongNumberOfArgsError": "NOAUTH",
    "AuthorizationError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "MovedError": "MOVED",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
}
_ENTRY: Final = "refuses this user: check the name, the password and the rights in redis_url"
_REASONS: Final = {
    "LOADING": "still reads its data: wait",
    "MOVED": "is one node of a cluster: give redis_url a server that is none",
    "NOAUTH": _ENTRY,
    "NOPERM": _ENTRY,
    "OOM": "its memory is full: raise maxmemory; a policy that evicts would drop requests",
    "READONLY": "is a read-only replica: set redis_url to the primary",
    "WRONGPASS": _ENTRY,
}
_AGAIN: Final = "; it is tried again by itself every few seconds"


def is_outage(error: Exception) -> bool:
    """Whether it concerns the server, rather than one command."""
    return _code(error) is not None


def explain(error: Exception, where: str) -> str:
    """One line for the operator: which server, what is wrong, what to do."""
    return f"request log in Redis at {where}: {_reason(error)}{_AGAIN}"


def slow(where: str) -> str:
    """The line for one that did not answer in time."""
    return explain(TimeoutError(), where)


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    if (code := _code(error)) is not None:
        return _REASONS.get(code, f"cannot be used ({said}): check the server")
    if type(error).__name__ == "TimeoutError":
        return "does not answer in time: check the server, and the network between"
    if "WRONGTYPE" in said:
        return "holds what is not failsoft's in a key of failsoft's: delete the key"
    return f"cannot be reached ({said}): check that it runs, and redis_url"


def _code(error: Exception) -> str | None:
    if code := _CLASSES.get(type(error).__name__):
        return code
    found = _CODES.search(str(error))
    return found[1] if found else None


SCRIPTS: Final = ("cut", "end", "follow", "followed", "give", "lives", "open", "read", "sign")


@dataclass(frozen=True, slots=True)
class Script:
    """The text of a script, and the name by which Redis knows it once it has been loaded."""

    text: bytes
    sha: str


@cache
def script(name: str) -> Script:
    """The script of that name."""
    folder = files("failsoft.request_log") / "lua"
    text = b"\n".join((folder / f"{part}.lua").read_bytes() for part in ("common", name))
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest())


T = TypeVar("T")

Command = tuple[bytes | str | int | float, ...]

# Sent in one go: so much is carried out and replied to well within the time there is for it.
_TOGETHER: Final = 128
_TOGETHER_BYTES: Final = 512 * 1024


class Wire:
    """One connection, for one event loop and one user at a time.

    ``where`` names the server, without user and password. Replies are waited for ``timeout``
    seconds.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        # Commands that are sent together are timed together.
        self._client = connect(url, timeout=timeout, times_replies=False)
        self._timeout = timeout
        options = self._client.connection_pool.connection_kwargs
        host, port = options.get("host", "localhost"), options.get("port", 6379)
        self.where = options.get("path") or f"{host}:{port}"

    async def prepare(self) -> None:
        """Make the scripts known. Raises what :meth:`send` raises."""
        await self.in_time(self._load())

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies; of one that was refused by itself, the error.

        Raises an :class:`Exception` of the library's or :class:`OSError` where the server cannot be
        used, or does not answer in time: each of them may have been carried out then, or not.
        """
        replies: list[Any] = []
        for group in _groups(commands):
            replies += await self.in_time(self._pass_prepared(group))
        return replies

    async def require(self, commands: Sequence[Command]) -> list[Any]:
        """The same; raises also what one command was refused with."""
        replies = await self.send(commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def in_time(self, work: Awaitable[T]) -> T:
        """The result of ``work`` within the timeout. Raises :class:`TimeoutError`."""
        return await in_time(work, self._timeout)

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


def _groups(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    start = size = 0
    for at, command in enumerate(commands):
        size += sum(len(part) for part in command if isinstance(part, bytes))
        if at > start and (size > _TOGETHER_BYTES or at - start >= _TOGETHER):
            yield commands[start:at]
            start, size = at, 0
    if commands:
        yield commands[start:]
