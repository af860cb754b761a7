"""Leads all breakers and holds of one process: takes notes of what they tell."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from failsoft.config.settings import BreakerSettings
from failsoft.policy.gate import Gate
from failsoft.policy.led_breaker import LedBreaker
from failsoft.policy.target import Target
from failsoft.state.notes import BreakerNotes, HoldNotes, Switch
from failsoft.state.store import Operation

__all__ = ["Leading", "breaker_key", "hold_key"]


def breaker_key(target: str) -> str:
    """The key of a target's breaker in the store."""
    return f"breaker:{target}"


def hold_key(scope: str) -> str:
    """The key of a scope's bench and park in the store."""
    return f"hold:{scope}"


class Leading:
    """The :class:`~failsoft.policy.gates.Leaders` of a process. Safe under threads.

    ``now`` gives monotonic seconds, ``wake`` is called when something will not wait.
    """

    def __init__(
        self, rules: BreakerSettings, *, now: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self.switch = Switch()
        self.gates: list[Gate] = []
        self._rules = rules
        self._now = now
        self._wake = wake
        self._breakers: dict[str, BreakerNotes] = {}
        self._holds: dict[str, HoldNotes] = {}

    def breaker(self, target: Target) -> BreakerNotes:
        """See :class:`~failsoft.policy.gates.Leaders`."""
        key = breaker_key(target.id)
        made = BreakerNotes(key, self.switch, self._wake, rules=self._rules)
        return self._breakers.setdefault(key, made)

    def hold(self, scope: str) -> HoldNotes:
        """See :class:`~failsoft.policy.gates.Leaders`."""
        key, ramp = hold_key(scope), self._rules.ramp_seconds
        made = HoldNotes(key, self.switch, self._wake, now=self._now, ramp_seconds=ramp)
        return self._holds.setdefault(key, made)

    def lead(self, gate: Gate) -> None:
        """See :class:`~failsoft.policy.gates.Leaders`."""
        notes = self.breaker(gate.target)
        if isinstance(gate.breaker, LedBreaker):
            notes.gate, notes.breaker = gate, gate.breaker
        self.gates.append(gate)
        self._wake()

    def take(self) -> list[Operation]:
        """All there is to tell."""
        return [operation for each in self._everybody() for operation in each.take()]

    def begin_anew(self, *, forked: bool) -> None:
        """Another process may be meant from now on: what it tells has numbers of its own."""
        if forked:
            for each in (*self._everybody(), *self.gates):
                each.forked()
        self.cut_off()
        self.switch.process = token_hex(4)

    def cut_off(self) -> None:
        """From now on everybody decides alone."""
        self.switch.leads = False
        for notes in self._everybody():
            notes.drop()

    def open(self, gate: Gate, seconds: float, reason: str) -> Operation:
        """That this breaker opens."""
        return self.breaker(gate.target).open(seconds, reason)

    def _everybody(self) -> list[BreakerNotes | HoldNotes]:
        return [*list(self._breakers.values()), *list(self._holds.values())]
