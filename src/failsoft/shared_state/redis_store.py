"""The store in Redis 6.2 and later, or Valkey: a hash a key, and Lua scripts that run there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final

from failsoft.shared_state.store import Operation, StoreError, Told
from failsoft.storage.redis import REDIS_TIMEOUT_SECONDS, connect, in_time

__all__ = ["SCHEMA", "RedisStore", "script"]

SCHEMA: Final = 2
"""Part of every key: versions that keep other fields do not meet."""

# By the names of the errors: their module is an extra.
_SAID: Final = {
    "TimeoutError": "no reply in time",
    "AuthenticationError": "the user name or the password is refused",
    "NoPermissionError": "this user needs EVALSHA, SCRIPT, PUBLISH and SUBSCRIBE",
    "ConnectionError": "no connection",
}

_LOOK_SECONDS: Final = 1.0


def script(kind: str) -> str:
    """The Lua of a breaker or a bench, whole."""
    folder = files(__package__) / "lua"
    return "\n".join((folder / f"{name}.lua").read_text("utf-8") for name in ("kept", kind))


class RedisStore:
    """A :class:`~failsoft.shared_state.store.Store`; a wrong address raises ``SettingError``.

    Keys are ``failsoft:<schema>:{<key>}``: the braces keep a key's slot in a cluster. Changes are
    published on a channel for each database, as channels reach over all of them. Nothing is
    waited for longer than ``timeout`` seconds.
    """

    def __init__(self, url: str, *, timeout: float = REDIS_TIMEOUT_SECONDS) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - an extra

        self._errors = (RedisError, OSError, ValueError)
        # Operations that are sent together are timed together.
        self._client = connect(url, timeout=timeout, times_replies=False)
        self._listener = connect(url, timeout=timeout, times_replies=False)
        database = self._client.connection_pool.connection_kwargs.get("db", 0)
        self._channel = f"failsoft:{SCHEMA}:{database}:changes"
        self._timeout = timeout
        self._scripts = {kind: script(kind) for kind in ("breaker", "hold")}
        self._hashes: dict[str, str] = {}

    async def run(self, operations: Sequence[Operation]) -> list[Told]:
        """See :meth:`.Store.run`."""
        # Connecting, and making the scripts known, takes twice as long.
        limit = self._timeout if self._hashes else 2 * self._timeout
        try:
            replies = await in_time(self._run(operations), limit)
        except (*self._errors, TimeoutError) as error:
            self._hashes = {}  # a server that was started again has no scripts
            raise StoreError(_said(error)) from None
        return [_read(reply) for reply in replies]

    async def _run(self, operations: Sequence[Operation]) -> list[bytes]:
        if not self._hashes:
            hashes = {kind: await self._client.script_load(s) for kind, s in self._scripts.items()}
            self._hashes = hashes
        commands = [self._command(operation) for operation in operations]
        pool = self._client.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            # What a pipeline does, for half of its CPU: this is done several times a second.
            await connection.send_packed_command(connection.pack_commands(commands))
            return [await connection.read_response() for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)  # its replies may still come
            raise
        finally:
            await pool.release(connection)

    def _command(self, operation: Operation) -> tuple[str | int, ...]:
        kind, key, name, arguments = operation
        whole = f"failsoft:{SCHEMA}:{{{key}}}"
        return ("EVALSHA", self._hashes[kind], 1, whole, self._channel, name, *arguments)

    async def listen(self, on_change: Callable[[Told], None], on_ready: Callable[[], None]) -> None:
        """See :meth:`.Store.listen`."""
        pubsub = self._listener.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(self._channel)
            on_ready()
            while True:
                message = await pubsub.get_message(timeout=_LOOK_SECONDS)
                told = None if message is None else _heard(message["data"])
                if told is not None:
                    on_change(told)
        except self._errors as error:
            raise StoreError(_said(error)) from None
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """See :meth:`.Store.aclose`."""
        await self._client.aclose()
        await self._listener.aclose()


def _heard(told: bytes) -> Told | None:
    """Anybody may publish: what is not ours is nothing."""
    try:
        return _read(told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(told: bytes) -> Told:
    read: dict[str, Any] = json.loads(told)
    key: str = read["key"]
    return {**read, "key": key[key.index("{") + 1 : key.rindex("}")]}


def _said(error: Exception) -> str:
    """Without an address: it may carry a password. What a server refuses, it says why itself."""
    from redis.exceptions import ResponseError  # noqa: PLC0415 - an extra

    names = [kind.__name__ for kind in type(error).__mro__]
    known = next((_SAID[name] for name in names if name in _SAID), None)
    if known is None and isinstance(error, ResponseError):
        return str(error)[:200]
    return known or names[0]
