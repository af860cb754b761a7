"""One breaker and one hold as the Lua scripts keep them, step by step, in Python.

The scripts are checked against these. Names, arguments and times (milliseconds of the store's
clock, put into ``now`` before each step) are the scripts'.
"""

# ruff: noqa: PLR0917 - operations and their arguments are the scripts', described there

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["KeptBreaker", "KeptHold"]

_REMEMBERED_MS: Final = 600_000
_RECENT_MS: Final = 60_000
_CALM_MS: Final = 1000
_UNDECIDED_MS: Final = 30_000
_KEPT_MS: Final = 3_600_000
_KEPT_BY_HAND_MS: Final = 30 * 86_400_000


@dataclass
class _Kept:
    now: int = 0
    changed: bool = False
    granted: str | None = None
    written: bool = False
    expires_at: int = 0
    at: int = 0
    born: int = 0
    generation: int = 0
    until: int = 0
    cause: str = ""
    restored: int = 0
    leases: dict[str, int] = field(default_factory=dict)
    heard: dict[str, tuple[int, int]] = field(default_factory=dict)

    def begin(self, now: int) -> None:
        self.now, self.changed, self.granted = now, False, None
        if self.at > now:
            self.set_back(self.at - now)
            self.at = now

    def set_back(self, by: int) -> None:
        self.until -= by if self.until > 0 else 0
        self.leases = {lease: ends - by for lease, ends in self.leases.items()}
        self.heard = {process: (told, at - by) for process, (told, at) in self.heard.items()}

    def told(self) -> dict[str, Any]:
        raise NotImplementedError

    def keeps(self) -> int:
        return _KEPT_MS

    def next_generation(self) -> None:
        self.written = True
        self.generation = max(self.generation + 1, self.now)
        self.leases.clear()

    def gone_back(self, known: int) -> bool:
        if known <= self.generation:
            return False
        stays = {"now": self.now, "born": self.born, "written": True}
        vars(self).update(vars(type(self)()) | stays)
        self.generation = known
        return True

    def lost(self, known: int, born: int) -> bool:
        behind = self.gone_back(known)
        return behind or (known > self.restored and born != self.born)

    def repeated(self, process: str, sequence: int) -> bool:
        if sequence <= self.heard.get(process, (0, 0))[0]:
            return True
        self.written = True
        self.heard[process] = (sequence, self.now)
        self.heard = {p: h for p, h in self.heard.items() if self.now - h[1] <= _REMEMBERED_MS}
        return False

    def live(self) -> list[int]:
        self.leases = {lease: ends for lease, ends in self.leases.items() if ends > self.now}
        return sorted(self.leases.values())

    def lend(self, lease: str, milliseconds: int) -> None:
        self.written = self.changed = True
        self.granted, self.leases[lease] = lease, self.now + milliseconds

    def take_back(self, lease: str) -> bool:
        if self.leases.get(lease, 0) <= self.now:
            return False
        del self.leases[lease]
        self.changed = True
        return True


@dataclass
class KeptBreaker(_Kept):
    """As ``breaker.lua`` keeps it."""

    state: str = "closed"
    reason: str = ""
    isolated: bool = False
    probes: int = 0
    trial: int = 0
    failed_on_trial: bool = False
    row: int = 0
    row_calls: int = 0
    row_began: int | None = None
    counting: int | None = None
    stirred: int = 0
    one_caller: bool = False
    several_at: int = 0
    windows: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    older: dict[str, tuple[int, int]] = field(default_factory=dict)

    def begin(self, now: int) -> None:
        super().begin(now)
        self.failed_on_trial = False

    def told(self) -> dict[str, Any]:
        live = self.live()
        return {
            "state": self.state,
            "until": self.until,
            "isolated": self.isolated,
            "reason": self.reason,
            "cause": self.cause,
            "one_caller": self.state != "closed" and self.one_caller,
            "on_trial": self.trial > 0,
            "stirred": self.stirred,
            "free_at": live[0] if live and len(live) >= max(1, self.probes) else 0,
        }

    def set_back(self, by: int) -> None:
        super().set_back(by)
        self.stirred -= by if self.stirred > 0 else 0
        self.several_at -= by if self.several_at > 0 else 0
        self.counting = None if self.counting is None else self.counting - by
        self.row_began = None if self.row_began is None else self.row_began - by
        self.older = {process: (calls, at - by) for process, (calls, at) in self.older.items()}
        self.windows.clear()

    def counts(self, width: int, buckets: int) -> dict[str, int]:
        oldest = self.now // width - buckets
        recent = [window for window in self.windows.values() if window[0] > oldest]
        undecided = (calls for calls, at in self.older.values() if self.now - at < _UNDECIDED_MS)
        return {
            "calls": sum(calls for _, calls, _ in recent),
            "failures": sum(failures for _, _, failures in recent),
            "in_row": self.row,
            "row_calls": self.row_calls,
            "older": sum(undecided),
            "processes": sum(self.now - at <= _RECENT_MS for _, at in self.heard.values()),
            "row_for": 0 if self.row_began is None else self.now - self.row_began,
            "counting_for": 0 if self.counting is None else self.now - self.counting,
            "on_trial": self.failed_on_trial,
        }

    def keeps(self) -> int:
        return _KEPT_BY_HAND_MS if self.isolated else _KEPT_MS

    def sync(
        self,
        known: int,
        born: int,
        alone: int,
        state: str,
        remaining: int,
        isolated: int,
        cause: str,
    ) -> None:
        believed = self.lost(known, born)
        if isolated:
            if believed and not self.isolated:
                self._isolate("isolated")
        elif (believed or alone) and state != "closed" and not self.isolated:
            longer = remaining > 0 and self.now + remaining > self.until
            if longer or self.state == "closed":
                self._open(remaining, "merged", cause)

    def record(
        self,
        process: str,
        sequence: int,
        generation: int,
        calls: int,
        failures: int,
        broke: int,
        weight: int,
        older: int,
        one_caller: int,
        width: int,
        buckets: int,
        before: int,
        row_calls: int,
    ) -> None:
        self.gone_back(generation)
        if self.repeated(process, sequence):
            return
        if generation != self.generation or self.state != "closed":
            return
        self.counting = self.now if self.counting is None else self.counting
        if failures and self.now - self.stirred >= _CALM_MS:
            self.stirred, self.changed = self.now, True
        if failures and not one_caller:
            self.several_at = self.now
        self.failed_on_trial = failures > 0 and self.trial > before
        if not self.failed_on_trial:
            self.trial = max(0, self.trial - calls)
        epoch = self.now // width
        before = self.windows.get(epoch % buckets, (epoch, 0, 0))
        _, had, failed = before if before[0] == epoch else (epoch, 0, 0)
        self.windows[epoch % buckets] = (epoch, had + calls, failed + failures)
        if broke:
            self.row = self.row_calls = 0
        if weight:
            self.row_began = self.row_began if self.row else self.now
            self.row += weight
            self.row_calls += row_calls
            self.older[process] = (older, self.now)
        elif process in self.older:
            left, since = self.older[process]
            self.older[process] = (max(0, left - calls), since)

    def open(
        self, generation: int, milliseconds: int, reason: str, cause: str, window: int
    ) -> None:
        self.gone_back(generation)
        if generation == self.generation and self.state == "closed":
            one_caller = window > 0 and self.now - self.several_at > window
            self._open(milliseconds, reason, cause, one_caller=one_caller)

    def lease(self, generation: int, lease: str, milliseconds: int, probes: int) -> None:
        if self.gone_back(generation):
            self.state, self.changed = "open", True
        if self.state == "closed" or self.isolated:
            return
        if self.now < self.until and not self.one_caller:
            return
        self.written, self.probes = True, probes
        if len(self.live()) < probes:
            self.lend(lease, milliseconds)
            self.state, self.reason = "half_open", "probed"

    def probe(
        self,
        lease: str,
        outcome: str,
        threshold: int,
        milliseconds: int,
        cause: str,
        one_caller: int,
    ) -> None:
        if not self.take_back(lease):
            return
        if outcome == "failure":
            still = self.one_caller and bool(one_caller)
            self._open(milliseconds, "probe failed", cause, one_caller=still)
        elif outcome == "success":
            self._move("closed", "probe succeeded: on trial")
            self.trial = threshold - 1

    def isolate(self, process: str, sequence: int, generation: int, reason: str) -> None:
        self.gone_back(generation)
        if not self.repeated(process, sequence):
            self._isolate(reason)

    def restore(self, process: str, sequence: int, generation: int, reason: str) -> None:
        self.gone_back(generation)
        if not self.repeated(process, sequence):
            self.isolated, self.until, self.cause = False, 0, ""
            self._move("closed", reason)
            self.restored = self.generation

    def next_generation(self) -> None:
        super().next_generation()
        self.windows.clear()
        self.older.clear()
        self.row = self.row_calls = self.trial = self.several_at = 0
        self.row_began = self.counting = None

    def _isolate(self, reason: str) -> None:
        self.isolated = True
        self._open(0, reason, "")

    def _open(
        self, milliseconds: int, reason: str, cause: str, *, one_caller: bool = False
    ) -> None:
        self.until, self.cause, self.one_caller = self.now + milliseconds, cause, one_caller
        self._move("open", reason)

    def _move(self, state: str, reason: str) -> None:
        self.next_generation()
        self.state, self.reason, self.changed = state, reason, True


@dataclass
class KeptHold(_Kept):
    """As ``hold.lua`` keeps it."""

    kind: str = "bench"
    probe_due: bool = False
    parks: int = 0
    ramp_from: int = 0
    ramp: int = 0

    def set_back(self, by: int) -> None:
        super().set_back(by)
        self.ramp_from -= by if self.ramp_from > 0 else 0

    def told(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "until": self.until,
            "probe_due": self.probe_due,
            "parks": self.parks,
            "ramp_from": self.ramp_from,
            "ramp": self.ramp,
            "cause": self.cause,
            "free_at": min(self.live(), default=0),
        }

    def sync(
        self,
        known: int,
        born: int,
        alone: int,
        kind: str,
        remaining: int,
        probe_due: int,
        parks: int,
        ramp: int,
        cause: str,
    ) -> None:
        believed = self.lost(known, born)
        if (believed or alone) and (remaining > 0 or (probe_due and not self.probe_due)):
            self.hold(kind, max(1, remaining), probe_due, parks, ramp, cause)

    def hold(
        self, kind: str, milliseconds: int, probe_due: int, parks: int, ramp: int, cause: str
    ) -> None:
        ends = self.now + milliseconds
        if ends <= self.until and (self.probe_due or not probe_due):
            return
        self.next_generation()
        self.changed = True
        self.kind, self.cause = kind, cause
        self.until = self.ramp_from = max(ends, self.until)
        self.probe_due = self.probe_due or bool(probe_due)
        self.parks, self.ramp = max(self.parks, parks), ramp

    def lease(self, lease: str, milliseconds: int) -> None:
        if self.probe_due and self.now >= self.until and not self.live():
            self.lend(lease, milliseconds)

    def probe(self, lease: str, well: int, ramp: int) -> None:
        if self.take_back(lease) and well:
            self.next_generation()
            self.probe_due, self.parks = False, 0
            self.ramp_from, self.ramp = self.now, ramp

    def release(self, process: str, sequence: int, generation: int) -> None:
        self.gone_back(generation)
        if not self.repeated(process, sequence):
            self.next_generation()
            self.changed, self.probe_due, self.cause = True, False, ""
            self.until = self.parks = self.ramp_from = self.ramp = 0
            self.restored = self.generation
