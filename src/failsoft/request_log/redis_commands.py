"""The commands of the request log in Redis, sent in the name of one owner, and their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from failsoft.request_log.contract import FOLLOW_SECONDS, Ending, Intent, Record, RequestState
from failsoft.request_log.redis_wire import OWNERS, PREFIX, Command, script
from failsoft.request_log.sqlite_rows import UNSEEN_IDS
from failsoft.request_log.unwritten import Tail

__all__ = [
    "MAX_ID",
    "Commands",
    "Gift",
    "PlacedTail",
    "begin_after",
    "cancels_key",
    "followers_key",
    "place_key",
    "place_keys",
    "place_of",
    "record_of",
    "runs_key",
]


def place_of(intent: Intent) -> str:
    """The place of a request: of its key where it has one, so that the same key meets itself there.

    Everything kept at one place has one hash tag, and thus lies in one slot of a cluster.
    """
    if intent.key is None:
        return intent.id
    name = f"{len(intent.scope)}:{intent.scope}{intent.key}"
    return "key_" + hashlib.sha256(name.encode()).hexdigest()[:40]


def place_keys(place: str) -> tuple[str, str, str]:
    """Of the record (a hash), the frames of all its runs (a stream), and the stories (a hash)."""
    tag = f"{PREFIX}:{{{place}}}"
    return f"{tag}:record", f"{tag}:frames", f"{tag}:stories"


def place_key(request_id: str) -> str:
    """Of the place of a request that has a key; one without is at a place of its own name."""
    return f"{PREFIX}:{{{request_id}}}:place"


def followers_key(request_id: str) -> str:
    """A sorted set: processes with a reader of it, and until when that holds."""
    return f"{PREFIX}:{{{request_id}}}:followers"


def cancels_key(owner: str) -> str:
    """A list: what an owner is asked to cancel."""
    return f"{PREFIX}:{{{owner}}}:cancels"


def runs_key(owner: str) -> str:
    """A set: the places of what an owner runs."""
    return f"{PREFIX}:{{{owner}}}:runs"


MAX_ID: Final = 2**53
"""Scripts count in floating point; above that one id is no longer another."""

# What runs is kept for so long beyond the retention, which counts from its end. A day is the most
# that `answer_timeout_seconds` may be.
_RUN_SECONDS: Final = 86400.0

# Frames in one command: it is sent as a whole.
_GIFT_BYTES: Final = 256 * 1024

# Frames in one reply.
_PAGE_BYTES: Final = 256 * 1024

_CANCELS: Final = 100


class PlacedTail(Tail):
    """A tail that knows where its request is kept."""

    __slots__ = ("place",)

    def __init__(self, place: str, request: str, run: int) -> None:
        super().__init__(request, run)
        self.place = place


@dataclass(frozen=True, slots=True, eq=False)
class Gift:
    """The first ``count`` frames of a tail, as they are sent."""

    tail: PlacedTail
    count: int
    command: Command


class Commands:
    """Every method makes one command; ``retention`` and ``dead`` in seconds.

    An owner is dead if its last heartbeat is older than ``dead``. Without a ``clock`` all times are
    those of Redis, so that processes on several machines agree. Heartbeats and followers use the
    time of Redis in any case.
    """

    def __init__(
        self,
        owner: str,
        *,
        retention: float,
        dead: float,
        clock: Callable[[], float] | None,
    ) -> None:
        self._owner = owner
        self._retention = retention
        self._dead = dead
        self._clock = clock

    def open(self, intent: Intent) -> list[Command]:
        """Enter a request, its place first: a record without a known place is not found.

        A heartbeat goes before it: a Redis that was emptied knows of no owner, and others would
        take over at once what such a one has just opened. Raises :class:`UnicodeEncodeError`.
        """
        place = place_of(intent)
        texts = (intent.id, intent.scope, intent.key or "")
        asked = _eval(
            "open",
            place_keys(place),
            self._now,
            self._retention,
            self._while_running,
            self._owner,
            *(text.encode() for text in texts),
            intent.fingerprint,
            int(intent.stream),
            intent.route.encode(),
            intent.locale.encode(),
        )
        if intent.key is None:
            return [asked]
        return [self._heartbeat(), self.locate(intent.id, place), asked]

    def locate(self, request_id: str, place: str) -> Command:
        """Say where a request is kept."""
        return ("SET", place_key(request_id), place, "PX", self._while_running)

    def gifts(self, tail: PlacedTail) -> Iterator[Gift]:
        """Keep what a tail holds. It stays there until it is written."""
        tail.moved = False
        frames = tail.frames[:]
        for part in _parts(frames):
            yield Gift(tail, len(part), self._give(tail, part))

    def renew(self, tail: PlacedTail) -> list[Command]:
        """Heartbeat; 1 as the last reply if the run is still this owner's."""
        return [*self.heartbeat(()), self._give(tail, ())]

    def _give(self, tail: PlacedTail, frames: Sequence[tuple[int, bytes]]) -> Command:
        return _eval(
            "give",
            place_keys(tail.place)[:2],
            self._now,
            self._while_running,
            tail.request,
            self._owner,
            tail.run,
            tail.attempt,
            _text(tail.retry_at),
            int(tail.shown),
            tail.last_id,
            *(value for number, frame in frames for value in (number, frame)),
        )

    def end(self, tail: PlacedTail, ending: Ending, body: bytes | None) -> Command:
        """End a run."""
        return _eval(
            "end",
            place_keys(tail.place),
            self._now,
            self._once_ended,
            tail.request,
            self._owner,
            tail.run,
            tail.attempt,
            int(tail.shown),
            tail.last_id,
            ending.state.value,
            int(ending.retryable),
            _text(ending.status),
            body or b"",
            ending.story,
        )

    def cut(self, place: str, owner: str, state: RequestState, opener: str = "") -> Command:
        """End what an owner runs there, in its stead."""
        unseen = UNSEEN_IDS if state is RequestState.INTERRUPTED else 0
        values = (self._now, self._once_ended, owner, opener, state.value, unseen)
        return _eval("cut", place_keys(place), *values)

    def read(self, place: str, request_id: str, run: int | None, begin: str) -> Command:
        """The record, and frames of a run: as many as are read in no time."""
        values = (self._now, self._retention, request_id, "" if run is None else run)
        return _eval("read", place_keys(place)[:2], *values, begin, _PAGE_BYTES)

    def hold(self, place: str) -> Command:
        """Count a place among those that we run."""
        return ("SADD", runs_key(self._owner), place)

    def let_go(self, place: str) -> Command:
        """Count a place no longer among those that we run."""
        return ("SREM", runs_key(self._owner), place)

    def heartbeat(self, removed: Sequence[str]) -> list[Command]:
        """Record that this owner lives, and remove owners; the living and the dead owners."""
        return [
            self._heartbeat(*removed),
            ("PEXPIRE", runs_key(self._owner), self._while_running),
        ]

    def _heartbeat(self, *removed: str) -> Command:
        return _eval("sign", (OWNERS,), self._owner, self._dead, self._while_running, *removed)

    def lives(self, owner: str) -> Command:
        """Whether an owner lives."""
        return _eval("lives", (OWNERS,), owner, self._dead)

    def leave(self) -> list[Command]:
        """Remove this owner."""
        runs = runs_key(self._owner)
        return [("ZREM", OWNERS, self._owner), ("DEL", runs), self.forget_cancels()]

    def ask_to_cancel(self, record: Record) -> list[Command]:
        """Ask the owner to cancel the run."""
        key = cancels_key(record.owner)
        run = f"{record.id} {record.run}"
        return [("RPUSH", key, run), ("PEXPIRE", key, self._once_ended)]

    def cancels(self) -> Command:
        """The runs of this owner that are to be cancelled."""
        return ("LRANGE", cancels_key(self._owner), 0, _CANCELS - 1)

    def drop_cancels(self, count: int) -> Command:
        """Remove the first of them."""
        return ("LTRIM", cancels_key(self._owner), count, -1)

    def forget_cancels(self) -> Command:
        """Remove all that is kept in their place."""
        return ("DEL", cancels_key(self._owner))

    def follow(self, request_id: str) -> Command:
        """Say that a reader here follows it."""
        milliseconds = int(FOLLOW_SECONDS * 1000)
        return _eval("follow", (followers_key(request_id),), self._owner, milliseconds)

    def followed(self, request_id: str) -> Command:
        """Whether a reader elsewhere follows it."""
        return _eval("followed", (followers_key(request_id),), self._owner)

    @property
    def _now(self) -> str:
        return "" if self._clock is None else repr(self._clock())

    @property
    def _once_ended(self) -> int:
        return int(self._retention * 1000)

    @property
    def _while_running(self) -> int:
        return int((self._retention + _RUN_SECONDS) * 1000)


def record_of(flat: Sequence[bytes]) -> Record:
    """The record from the names and values of its hash."""
    found = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}

    def text(name: str) -> str:
        return found[name].decode()

    def seconds(name: str) -> float | None:
        return float(found[name]) if found[name] else None

    return Record(
        id=text("id"),
        scope=text("scope"),
        key=text("key") or None,
        fingerprint=found["fingerprint"],
        stream=found["stream"] == b"1",
        route=text("route"),
        locale=text("locale"),
        state=RequestState(text("state")),
        run=int(found["run"]),
        owner=text("owner"),
        created_at=float(found["created_at"]),
        updated_at=float(found["updated_at"]),
        ended_at=seconds("ended_at"),
        attempt=int(found["attempt"]),
        retry_at=seconds("retry_at"),
        status=int(found["status"]) if found["status"] else None,
        body=found["body"] or None,
        retryable=found["retryable"] == b"1",
        first_id=int(found["first_id"]),
        last_id=int(found["last_id"]),
        shown_run=int(found["shown_run"]),
    )


def _parts(frames: list[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Frames in pieces of a bounded size; one empty piece where there are none."""
    start = size = 0
    for at, (_, frame) in enumerate(frames):
        size += len(frame)
        if at > start and size > _GIFT_BYTES:
            yield frames[start:at]
            start, size = at, len(frame)
    yield frames[start:]


def begin_after(event_id: int) -> str:
    """Where to begin to read the frames after an event."""
    return f"{min(max(event_id, -1), MAX_ID) + 1}-0"


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _eval(name: str, keys: Sequence[str], *values: Any) -> Command:
    return ("EVALSHA", script(name).sha, len(keys), *keys, *values)
