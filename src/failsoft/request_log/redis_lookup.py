"""Reads one request out of a log in Redis, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from failsoft.request_log.contract import LogDownError
from failsoft.request_log.lookup import MOST_ALIKE, Told
from failsoft.request_log.redis_commands import place_key, place_keys, record_of
from failsoft.request_log.redis_wire import Wire, explain
from failsoft.storage.redis import REDIS_TIMEOUT_SECONDS

__all__ = ["ids_like", "tell_of"]

_SCANNED = 1000
_T = TypeVar("_T")


def tell_of(url: str, request_id: str) -> Told | None:
    """The request of that id, ``None`` where the log has none.

    Raises :class:`~failsoft.request_log.contract.LogDownError` where the log cannot be read, and
    :class:`~failsoft.errors.SettingError` where ``url`` is no address.
    """
    wire = Wire(url, timeout=REDIS_TIMEOUT_SECONDS)
    return asyncio.run(_asked(wire, _tell_of(wire, request_id)))


def ids_like(url: str, prefix: str) -> list[str]:
    """At most :data:`MOST_ALIKE` requests whose id begins so; raises as :func:`tell_of` does.

    Looks through all keys: for a person at a terminal.
    """
    wire = Wire(url, timeout=REDIS_TIMEOUT_SECONDS)
    return asyncio.run(_asked(wire, _ids_like(wire, prefix)))


async def _ids_like(wire: Wire, prefix: str) -> list[str]:
    found: set[str] = set()
    cursor = b"0"
    while len(found) < MOST_ALIKE:
        pattern = place_key(f"{prefix}*").rpartition(":")[0] + ":*"
        (answer,) = await wire.require([("SCAN", cursor, "MATCH", pattern, "COUNT", _SCANNED)])
        cursor, keys = answer
        found |= {key.decode().partition("{")[2].partition("}")[0] for key in keys}
        if int(cursor) == 0:
            break
    return sorted(found)[:MOST_ALIKE]


async def _tell_of(wire: Wire, request_id: str) -> Told | None:
    (place,) = await wire.require([("GET", place_key(request_id))])
    record, _, stories = place_keys(place.decode() if place else request_id)
    return _told(request_id, *await wire.require([("HGETALL", record), ("HGETALL", stories)]))


async def _asked(wire: Wire, asking: Coroutine[Any, Any, _T]) -> _T:
    try:
        return await asking
    except Exception as error:
        raise LogDownError(explain(error, wire.where)) from error
    finally:
        await wire.aclose()


def _told(
    request_id: str, found: Mapping[bytes, bytes], stories: Mapping[bytes, bytes]
) -> Told | None:
    if found.get(b"id") != request_id.encode():
        return None
    record = record_of([part for pair in found.items() for part in pair])
    return Told(
        state=record.state,
        route=record.route,
        stream=record.stream,
        run=record.run,
        created_at=record.created_at,
        ended_at=record.ended_at,
        attempt=record.attempt,
        stories={int(run): data for run, data in sorted(stories.items(), key=lambda s: int(s[0]))},
    )
