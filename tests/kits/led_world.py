"""Several processes that share one store over bad links, in virtual time."""

import asyncio
from dataclasses import replace
from random import Random

from virtual_loop import VirtualLoop

from failsoft.classify import verdict_for
from failsoft.config.settings import BreakerSettings, RetrySettings, Settings
from failsoft.policy.admission import Guards
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import CircuitState, Outcome
from failsoft.policy.callers import Caller, RecentCallers
from failsoft.policy.pacing import Demand
from failsoft.policy.recovery import Recovery
from failsoft.policy.target import Target
from failsoft.policy.target_guard import Permit
from failsoft.shared_state.outbox import SharedCoordinator, breaker_key, hold_key
from failsoft.shared_state.store import StoreError
from failsoft.shared_state.sync import Sharing

START_MS = 1_763_900_000_000
LEASE_SECONDS = 3.0
RULES = BreakerSettings(
    failure_threshold=4,
    failure_span_seconds=0.25,
    min_calls=8,
    window_seconds=6.0,
    window_buckets=3,
    recovery="fixed",
    recovery_timeout_seconds=1.0,
    ramp_seconds=1.0,
)
ADAPTIVE = replace(RULES, recovery="adaptive")
WAITS = RetrySettings(
    rate_limit_default_seconds=1.0,
    bench_max_seconds=6.0,
    park_seconds=2.0,
    park_max_seconds=8.0,
)
SETTINGS = Settings(breaker=RULES, retry=WAITS)
TARGETS = (
    Target(provider="a", model="x", family="f", host="h"),
    Target(provider="a", model="y", family="g", host="h"),
)


class Link:
    """One process's way to the store."""

    def __init__(self, store):
        self._store = store
        self.cut = False
        self.lose_requests = self.lose_replies = 0
        self.pushes = "fine"

    async def run(self, operations):
        await asyncio.sleep(0.001)
        self.lose_requests, lost = max(0, self.lose_requests - 1), self.lose_requests
        if self.cut or lost:
            await self._give_up()
        replies = await self._store.run(operations)
        self.lose_replies, lost = max(0, self.lose_replies - 1), self.lose_replies
        if lost:
            await self._give_up()
        await asyncio.sleep(0.001)
        return replies

    async def _give_up(self):
        await asyncio.sleep(0.2)
        raise StoreError("no reply in time")

    async def listen(self, on_change, on_ready):
        loop = asyncio.get_running_loop()

        def pushed(told):
            if self.cut or self.pushes == "dropped":
                return
            late = 1.5 if self.pushes == "late" else 0.001
            for _ in range(2 if self.pushes == "doubled" else 1):
                loop.call_later(late, on_change, told)

        if self.cut:
            await self._give_up()
        await self._store.listen(pushed, on_ready)

    async def aclose(self):
        pass


class Process:
    """One, with a monotonic clock of its own."""

    def __init__(self, loop, store, number, rules=RULES):
        self.origin = 1000.0 * number
        self._loop = loop
        self.link = Link(store)
        self.leading = SharedCoordinator(rules, now=self.now, wake=self._wake)
        self.changes = []
        self.answered = RecentCallers()
        self.demand = Demand(10)
        self.recovery = Recovery(rules, self.demand, rng=Random(number))
        self.guards = Guards(
            replace(SETTINGS, breaker=rules),
            rng=Random(number),
            coordinators=self.leading,
            on_change=self._changed,
        )
        self.lines = []
        self.sharing = None
        self.sharing = Sharing(
            self.link, self.leading, self.guards, rules, now=self.now, on_status=self.lines.append
        )
        for target in TARGETS:
            self.guards.of(target)
        self.task = loop.create_task(self.sharing.run())
        self.permits = []

    def now(self):
        return self._loop.time() + self.origin

    def _wake(self):
        if self.sharing is not None and self.sharing.ask_to_wake():
            self._loop.call_soon(self.sharing.wake)

    def _changed(self, target, change):
        self.changes.append((target.id, change))
        self.recovery.changed(target.circuit, change, self.now())

    def request(self, who=None):
        """One request at the guards of its route."""
        return Caller(who, self.answered, self.recovery)

    async def admit(self, target, who=None):
        """As the driver does, for a caller of that name."""
        self.demand.count(self.now())
        return await self.admit_as(target, self.request(who))

    async def admit_as(self, target, caller):
        """As the driver does; without a caller nothing holds a probe back."""
        guard = self.guards.of(target)
        if parts := guard.needs_grants(self.now(), caller):
            await self.sharing.grant(parts, LEASE_SECONDS)
        permit = guard.admit(self.now(), lease_seconds=LEASE_SECONDS, caller=caller)
        if isinstance(permit, Refusal):
            guard.give_back_grants()
            return None
        return permit

    async def call(self, target, reason=None, who=None, **facts):
        permit = await self.admit(target, who)
        if permit is not None:
            self.finish(permit, reason, **facts)
        return permit

    def finish(self, permit: Permit, reason=None, **facts):
        if reason is None:
            permit.first_content(self.now())
            permit.finish(Outcome.SUCCESS, self.now())
        elif reason == "cut":
            permit.first_content(self.now())
            self.guards.finish(permit, verdict_for("overloaded"), self.now())
        elif reason == "cancelled":
            permit.finish(Outcome.NEUTRAL, self.now())
        else:
            self.guards.finish(permit, verdict_for(reason, **facts), self.now())

    def breaker(self, target):
        return self.guards.of(target).breaker

    def benches(self):
        return {hold_key(h.scope): h for t in TARGETS for h in self.guards.of(t).benches}

    def stop(self):
        self.task.cancel()


class World:
    """``make_store(clock_ms)`` makes the store that all share."""

    def __init__(self, make_store, processes=3, rules=RULES):
        self.loop = VirtualLoop()
        self.ahead_ms = 0
        self.store = make_store(self.clock_ms)
        self.rules = rules
        self.processes = [Process(self.loop, self.store, n + 1, rules) for n in range(processes)]
        self.born = processes
        self.wait(0.1)

    def clock_ms(self):
        return START_MS + round(self.loop.time() * 1000) + self.ahead_ms

    def do(self, work):
        return self.loop.run_until_complete(work)

    def wait(self, seconds):
        self.do(asyncio.sleep(seconds))

    def start_another(self, place):
        self.processes[place].stop()
        self.born += 1
        self.processes[place] = Process(self.loop, self.store, self.born, self.rules)

    def heal(self):
        for process in self.processes:
            process.link.cut = False
            process.link.pushes = "fine"
            process.link.lose_requests = process.link.lose_replies = 0

    def quiet(self):
        self.heal()
        self.wait(3.5)

    def kept(self):
        """What the store has, by key."""
        return dict(self.store._kept)

    def apart(self):
        """Where a process is of another mind than the store."""
        kept, found = self.kept(), list(getattr(self.store, "apart", []))
        for place, process in enumerate(self.processes):
            assert process.leading.switch.leads, "not led"
            for target in TARGETS:
                found += self._apart(place, process, target, kept.get(breaker_key(target.id)))
            for key, bench in process.benches().items():
                found += self._hold_apart(place, process, key, bench, kept.get(key))
        return found

    def here(self, process, at_ms):
        return (at_ms - START_MS - self.ahead_ms) / 1000 + process.origin

    def _apart(self, place, process, target, kept):
        breaker = process.breaker(target)
        if kept is None:
            has = (breaker.state.value, breaker._isolated)
            return [] if has == ("closed", False) else [(place, target.id, has, None)]
        # Half open is a state of the one who probes first of all.
        state = "open" if breaker.state is not CircuitState.CLOSED else "closed"
        has = (state, breaker.seen_generation, breaker._isolated)
        its = ("closed" if kept.state == "closed" else "open", kept.generation, kept.isolated)
        found = [] if has == its else [(place, target.id, has, its)]
        until, now = self.here(process, kept.until), process.now()
        waits = state == "open" and not kept.isolated
        if waits and abs(max(now, breaker._open_until) - max(now, until)) > 0.6:
            found.append((place, target.id, breaker._open_until, until))
        return found

    def _hold_apart(self, place, process, key, bench, kept):
        now = process.now()
        if kept is None:
            return [(place, key, "holds")] if bench.active and bench.until > now else []
        found = []
        if bench.seen_generation != kept.generation:
            found.append((place, key, bench.seen_generation, kept.generation))
        if bench._probe_due != kept.probe_due:
            found.append((place, key, "probe due", bench._probe_due, kept.probe_due))
        until = self.here(process, kept.until)
        if abs(max(now, bench.until) - max(now, until)) > 0.6:
            found.append((place, key, bench.until, until))
        return found

    def close(self):
        for process in self.processes:
            process.stop()
        self.wait(0.3)
        self.loop.close()
