"""Several owners of one log against a model of what it promises."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from log_kit import DONE, FAILED, frame, intent
from redis_server import needs_redis, redis_server

from failsoft.request_log.contract import Conflict, Entry, Known, Opened, RequestState
from failsoft.request_log.redis_log import RedisLog
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.storage.times import StoreTimes

pytestmark = pytest.mark.hypothesis

OWNERS = st.integers(0, 2)
SCOPES = st.sampled_from(["a", "b"])
PICK = st.integers(0, 1_000_000)


@dataclass
class Kept:
    id: str
    scope: str
    body: bytes
    owner: int
    run: int = 1
    state: RequestState = RequestState.QUEUED
    retryable: bool = False
    next_id: int = 1
    frames: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)


class Logs(RuleBasedStateMachine):
    def __init__(self, store):
        super().__init__()
        self.store = store

    @initialize()
    def begin(self):
        self.runner = asyncio.Runner()
        self.store.empty()
        self.logs = [None, None, None]
        for owner in range(3):
            self.arrive(owner)
        self.kept: list[Kept] = []
        self.keys: dict[tuple[str, str], Kept] = {}
        self.entries: dict[tuple[str, int], Entry] = {}  # of the runs of living owners
        self.given: set[tuple[str, int]] = set()

    def teardown(self):
        for log in self.logs:
            self.run(log.aclose())
        self.runner.close()

    def run(self, work):
        return self.runner.run(work)

    def arrive(self, owner):
        async def start():
            log = self.store.log()
            log.start(on_cancel=lambda *_: None)
            return log

        self.logs[owner] = self.run(start())

    def pick(self, number):
        return self.kept[number % len(self.kept)]

    @rule(owner=OWNERS, scope=SCOPES)
    def open_without_key(self, owner, scope):
        asked = intent(scope=scope)
        found = self.run(self.logs[owner].open(asked))
        assert isinstance(found, Opened)
        assert found.new
        self.kept.append(Kept(asked.id, scope, asked.fingerprint, owner))
        self.entries[asked.id, 1] = found.entry

    @rule(
        owners=st.lists(OWNERS, min_size=1, max_size=4),
        key=st.sampled_from(["k", "l"]),
        scope=SCOPES,
        body=st.sampled_from([b"x", b"x", b"y"]),
    )
    def open_with_key(self, owners, key, scope, body):
        asked = [intent(key, scope, body) for _ in owners]

        async def all_at_once():
            return await asyncio.gather(
                *(self.logs[owner].open(one) for owner, one in zip(owners, asked, strict=True))
            )

        found = self.run(all_at_once())
        kept = self.keys.get((scope, key))
        if kept is not None and kept.body != body:
            assert found == [Conflict()] * len(owners)
            return
        winners = [n for n, one in enumerate(found) if isinstance(one, Opened)]
        if kept is None:
            (winner,) = winners
            kept = Kept(asked[winner].id, scope, body, owners[winner])
            self.kept.append(kept)
            self.keys[scope, key] = kept
            assert found[winner].new
        elif kept.retryable:
            (winner,) = winners
            assert not found[winner].new
            assert found[winner].record.first_id >= kept.next_id
            kept.run += 1
            kept.owner, kept.state, kept.retryable = owners[winner], RequestState.QUEUED, False
            kept.next_id = found[winner].record.first_id
        else:
            assert winners == []
        if winners:
            self.entries[kept.id, kept.run] = found[winners[0]].entry
        for owner, one in zip(owners, found, strict=True):
            assert (one.record.id, one.record.run) == (kept.id, kept.run)
            if isinstance(one, Known):
                assert one.ours is (owner == kept.owner and not kept.state.ended)

    @precondition(lambda self: self.kept)
    @rule(number=PICK, run=st.integers(0, 1), count=st.integers(1, 5))
    def append(self, number, run, count):
        kept = self.pick(number)
        entry = self.entries.get((kept.id, kept.run - run))
        for _ in range(count if entry else 0):
            data = frame(kept.next_id, f"{kept.owner} {kept.run - run}")
            entry.append(data, kept.next_id, shown=True)
            if run == 0 and not kept.state.ended:
                assert (kept.id, kept.next_id) not in self.given
                self.given.add((kept.id, kept.next_id))
                kept.frames.setdefault(kept.run, []).append((kept.next_id, data))
                kept.next_id += 1

    @precondition(lambda self: self.kept)
    @rule(number=PICK, run=st.integers(0, 1), ending=st.sampled_from([DONE, FAILED]))
    def end(self, number, run, ending):
        kept = self.pick(number)
        entry = self.entries.get((kept.id, kept.run - run))
        runs = run == 0 and not kept.state.ended
        assert entry is None or self.run(entry.end(ending)) is runs
        if runs:
            kept.state, kept.retryable = ending.state, ending.retryable

    @precondition(lambda self: self.kept)
    @rule(number=PICK, reader=OWNERS, run=st.integers(0, 1), after=st.integers(0, 12))
    def read(self, number, reader, run, after):
        kept = self.pick(number)
        frames = kept.frames.get(kept.run - run, [])
        after += kept.next_id - 8  # most often within what there is
        if not kept.state.ended:
            self.run(self.logs[kept.owner].find(kept.id, kept.scope))  # what is pending is written
        found = self.run(self.logs[reader].events(kept.id, kept.run - run, after))
        assert found.data == b"".join(data for number, data in frames if number > after)
        assert found.last_id == max([after, *(number for number, _ in frames)])

    @rule(owner=OWNERS)
    def leave_and_come_back(self, owner):
        self.run(self.logs[owner].aclose())
        for kept in self.kept:
            if kept.owner == owner and not kept.state.ended:
                kept.state, kept.retryable = RequestState.INTERRUPTED, True
            if kept.owner == owner:
                self.entries.pop((kept.id, kept.run), None)
        self.arrive(owner)

    @invariant()
    def everybody_sees_the_same(self):
        for kept in getattr(self, "kept", [])[-4:]:
            for log in self.logs:
                found = self.run(log.find(kept.id, kept.scope))
                assert (found.run, found.retryable) == (kept.run, kept.retryable)
                assert found.state is kept.state
                assert self.run(log.find(kept.id, "c")) is None
                with contextlib.suppress(KeyError):
                    assert self.run(log.cancel(kept.id, "c")) is None


class Folder:
    """Logs in files, each time in a folder that was not used before."""

    def __init__(self, path):
        self.path = path
        self.number = 0

    def empty(self):
        self.number += 1

    def log(self):
        return SqliteLog(self.path / str(self.number))


class Shared:
    """Logs in one Redis."""

    def __init__(self, server):
        self.server = server

    def empty(self):
        self.server.forget()

    def log(self):
        patient = StoreTimes(reply=15.0, dead=10.0)  # a busy machine is not an outage
        return RedisLog(self.server.url, times=patient)


def check(store):
    extent = settings(max_examples=12, stateful_step_count=20)
    run_state_machine_as_test(lambda: Logs(store), settings=extent)


def test_in_files(tmp_path):
    check(Folder(tmp_path))


@needs_redis
def test_in_redis(tmp_path):
    with redis_server(tmp_path) as server:
        check(Shared(server))
