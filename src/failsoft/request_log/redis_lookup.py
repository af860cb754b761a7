"""Reads one request out of a log in Redis, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from failsoft.request_log.contract import LogDownError
from failsoft.request_log.lookup import Told
from failsoft.request_log.redis_commands import place_key, place_keys, record_of
from failsoft.request_log.redis_wire import Wire, explain

__all__ = ["tell_of"]


def tell_of(url: str, request_id: str) -> Told | None:
    """The request of that id, ``None`` where the log has none.

    Raises :class:`~failsoft.request_log.contract.LogDownError` where the log cannot be read, and
    :class:`~failsoft.errors.SettingError` where ``url`` is no address.
    """
    return asyncio.run(_tell_of(Wire(url), request_id))


async def _tell_of(wire: Wire, request_id: str) -> Told | None:
    try:
        (place,) = await wire.send([("GET", place_key(request_id))])
        record, _, stories = place_keys(place.decode() if place else request_id)
        return _told(request_id, *await wire.send([("HGETALL", record), ("HGETALL", stories)]))
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
