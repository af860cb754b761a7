"""The asyncio driver: carries a plan out. It owns the task, the permits and the timers.

Order, outside in: ladder( deadline( chain( retry( breaker( bulkhead( timers( wire call ))))))).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol
from unicodedata import category

from failsoft.attempt import Attempt, AttemptOutcome
from failsoft.classify import classify
from failsoft.classify.verdict import BreakerEffect, Sent, Verdict
from failsoft.classify.wire_errors import EmptyAnswer
from failsoft.engine.deadline import running_loop
from failsoft.engine.report import Reporter
from failsoft.engine.request import Request, fit
from failsoft.engine.runtime import Core
from failsoft.engine.timers import LoopAlarms, Watchdog
from failsoft.policy.admission import Permit
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import Outcome
from failsoft.policy.callers import Answered
from failsoft.policy.plan_events import (
    BreakerOpened,
    Call,
    Cancelled,
    Failed,
    Finished,
    FirstContent,
    GiveUp,
    PlanEvent,
    Refused,
    Started,
    TimerFired,
    Wait,
)
from failsoft.providers.protocol import Exchange, ProviderCall, WireEvent

__all__ = ["Driver", "Ending", "GiveOut", "LiveAttempt", "Reader"]


_THOUGHT = frozenset({"thinking", "redacted_thinking"})


_BLOCK_EDGES = frozenset({"content_block_start", "content_block_stop"})


def _opens_thought(event: WireEvent) -> bool:
    block = event.data.get("content_block")
    return isinstance(block, Mapping) and block.get("type") in _THOUGHT


# Controls, formats, white space. Half a character and one that is new to Python are shown somehow.
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def _is_visible(text: str) -> bool:
    return any(category(char) not in _INVISIBLE for char in text)


GiveOut = Callable[[str, Watchdog], Awaitable[None]]


class LiveAttempt:
    """Sends the request to one target and reads the answer under the attempt's timers."""

    first_content_at: float | None = None
    _soft_end = False
    _shows_text = False
    _request_id: str | None = None

    def __init__(
        self,
        core: Core,
        request: Request,
        call: Call,
        permit: Permit,
        alarms: LoopAlarms,
        *,
        began: float,
    ) -> None:
        self.call = call
        self.permit = permit
        self.message: dict[str, Any] = {}
        self.began = began
        self._core = core
        self._request = request
        self._alarms = alarms
        self._body, self._changes = fit(request.body, call.target)

    async def exchange(self, give_out: GiveOut | None) -> None:
        """Read the answer to its end, giving its text out as it comes; raise what goes wrong."""
        target, limits = self.call.target, self.call.limits
        provider = self._request.provider or self._core.provider(target.provider)
        call = ProviderCall(
            target,
            self._body,
            self._headers(),
            request_id=self._request.id,
            number=self.call.number,
            seconds=max(limits.first_content_at - self.began, limits.idle_seconds),
            max_bytes=self._core.settings.max_answer_bytes,
            fresh=self._request.facts.may_have_effects,
        )
        with Watchdog(limits, self._alarms, self.began) as watch:
            async with provider.exchange(call) as exchange:
                self._request_id = exchange.request_id
                try:
                    await self._read(exchange, watch, give_out)
                finally:
                    self.message = exchange.message
                if headers := exchange.headers:
                    self._core.learn(target, headers)
        if self._request.degrades and not self._shows_text:
            self._check_for_text()

    def _headers(self) -> Mapping[str, str]:
        headers, traced = self._request.headers, self._core.trace_headers
        if traced is None:
            return headers
        return {**headers, **traced(self._request.id, self.call.number)}

    async def _read(self, exchange: Exchange, watch: Watchdog, give_out: GiveOut | None) -> None:
        held: list[str] = []
        async for event in exchange:
            if event.type in _BLOCK_EDGES:
                watch.thinking(thinks=_opens_thought(event))
            if not event.content:
                self._soft_end = event.type == "soft_end"
                continue
            if watch.content():
                self.first_content_at = watch.last_content_at
                self.permit.first_content(watch.last_content_at)
            text = event.text
            if text and not self._shows_text:
                held.append(text)
                if self._request.degrades and not _is_visible(text):
                    continue  # white space may be all there is, and another target is asked then
                self._shows_text, text = True, "".join(held)
            if give_out is not None and text:
                await give_out(text, watch)

    def _check_for_text(self) -> None:
        """Raise :class:`EmptyAnswer`, unless the answer ends in the use of a tool."""
        reason, content = self.message.get("stop_reason"), self.message.get("content")
        if reason == "tool_use":
            return
        kinds = {block.get("type") for block in content or () if isinstance(block, Mapping)}
        thought = reason == "max_tokens" and not _THOUGHT.isdisjoint(kinds)
        raise EmptyAnswer(f"an answer without text; stop_reason is {reason}", thought=thought)

    def entry(
        self,
        outcome: AttemptOutcome,
        verdict: Verdict | None,
        *,
        started_seconds: float,
        ended_at: float,
        wait_seconds: float,
        shown_chars: int,
    ) -> Attempt:
        """The attempt as the ledger keeps it."""
        first = self.first_content_at
        usage = self.message.get("usage")
        return Attempt(
            number=self.call.number,
            target=self.call.target.id,
            outcome=outcome,
            verdict=verdict,
            started_seconds=started_seconds,
            duration_seconds=ended_at - self.began,
            wait_seconds=wait_seconds,
            first_content_seconds=None if first is None else first - self.began,
            shown_chars=shown_chars,
            sent=verdict.sent if verdict is not None else Sent.MAYBE,
            usage=usage if isinstance(usage, dict) else {},
            provider_request_id=self._request_id,
            changes=self._changes,
            soft_end=self._soft_end,
        )


class Reader(Protocol):
    """The reader of an answer while it comes. A plain answer has none."""

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the reader."""
        ...

    async def text(self, text: str) -> None:
        """Give out some text; waits while the reader is behind."""
        ...

    def hopping(self) -> None:
        """Another target is being tried."""
        ...

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        """The request waits before its next call."""
        ...


class Ending:
    """How a request ended: with a call that gave an answer, or with the plan giving up.

    ``at`` is when, in monotonic seconds.
    """

    __slots__ = ("at", "attempts", "call", "failures", "gave_up", "message", "shown")

    def __init__(self, gave_up: GiveUp | None = None) -> None:
        self.at = 0.0
        self.call: Call | None = None
        self.gave_up = gave_up
        self.message: dict[str, Any] = {}
        self.attempts: list[Attempt] = []
        self.shown: list[str] = []
        self.failures: list[tuple[Verdict, Exception]] = []

    def cause(self, verdict: Verdict | None) -> Exception | None:
        """What the provider raised that led to ``verdict``."""
        for known, error in self.failures:
            if known is verdict:
                return error
        return None


class Driver:
    """One request under way. :meth:`run` may be called once."""

    _waited = 0.0
    _shown_chars = 0
    _previous: Call | None = None
    _last_verdict: Verdict | None = None

    def __init__(
        self,
        core: Core,
        request: Request,
        report: Reporter,
        reader: Reader | None,
        answered: Answered,
    ) -> None:
        self._core = core
        self._request = request
        self._caller = request.caller(answered)
        self._plan = request.plan(core, self._caller)
        self._report = report
        self._reader = reader
        loop = running_loop()
        self._clock = loop.time
        self._alarms = core.alarms.of(loop)
        self._began = request.times.started_at
        self.ending = Ending()

    async def run(self) -> Ending:
        """Carry the plan out to its end. Cancellation passes straight through."""
        event: PlanEvent = Started()
        while True:
            now = self._clock()
            command = self._plan.next(event, now)
            if isinstance(command, Call):
                event = await self._call(command, now)
            elif isinstance(command, Wait):
                event = await self._wait(command)
            else:
                ending = self.ending
                ending.at = now
                if isinstance(command, GiveUp):
                    ending.gave_up = command
                return ending

    async def _wait(self, wait: Wait) -> PlanEvent:
        seconds = max(0.0, wait.until - self._clock())
        self._report.waiting(wait.why, seconds)
        if self._reader is not None:
            self._reader.waiting(wait.why, seconds, self._last_verdict)
        began = self._clock()
        opened = await self._core.openings.sleep(seconds)
        self._waited += self._clock() - began
        return BreakerOpened() if opened else TimerFired()

    async def _call(self, call: Call, now: float) -> PlanEvent:
        gate, shared = self._core.gates.of(call.target), self._core.shared
        lease_seconds = call.limits.lease_seconds
        if shared is not None and await shared.grant(gate, now, lease_seconds, self._caller):
            now = self._clock()
        permit = gate.admit(now, lease_seconds=lease_seconds, caller=self._caller)
        if isinstance(permit, Refusal):
            gate.give_back_grants()
            return Refused(permit)
        self._announce(call)
        attempt = LiveAttempt(self._core, self._request, call, permit, self._alarms, began=now)
        try:
            await attempt.exchange(self._give_out if self._reader is not None else None)
        except Exception as error:  # noqa: BLE001 - every failure there is becomes a verdict
            return Failed(self._failed(attempt, error))
        except BaseException:
            # The caller left, or the process is ending: not a failure.
            began = attempt.first_content_at is not None
            now = self._clock()
            permit.finish(Outcome.SUCCESS if began else Outcome.NEUTRAL, now)
            self._record(attempt, "cancelled", None, now)
            self._plan.next(Cancelled(), now)
            raise
        now = self._clock()
        permit.finish(Outcome.SUCCESS, now)
        self._record(attempt, "success", None, now)
        self.ending.call, self.ending.message = call, attempt.message
        return Finished()

    def _announce(self, call: Call) -> None:
        before, self._previous = self._previous, call
        if before is not None and before.target != call.target and self._last_verdict is not None:
            self._report.fell_back(before.target.id, call.target.id, self._last_verdict)
            if self._reader is not None:
                self._reader.hopping()
        self._report.attempt_started(call)

    def _failed(self, attempt: LiveAttempt, error: Exception) -> Verdict:
        verdict = classify(error, provider=attempt.call.target.provider, now=time.time())
        if verdict.reason == "bad_reply" and attempt.first_content_at is not None:
            # It answers, and too much of it: the request's affair, and not the target's.
            verdict = replace(verdict, breaker=BreakerEffect.NO)
        now = self._clock()
        self._core.gates.finish(attempt.permit, verdict, now)
        self.ending.failures.append((verdict, error))
        self.ending.message = attempt.message
        self._last_verdict = verdict
        self._record(attempt, "failure", verdict, now)
        return verdict

    async def _give_out(self, text: str, watch: Watchdog) -> None:
        reader, shown = self._reader, self.ending.shown
        if reader is None:
            return
        if not shown:
            self._plan.next(FirstContent(), self._clock())
        self._shown_chars += len(text)
        if self._shown_chars <= self._core.settings.max_answer_bytes:
            shown.append(text)
        if not reader.full:
            await reader.text(text)
            return
        watch.pause()
        try:
            await reader.text(text)
        finally:
            watch.resume()

    def _record(
        self, attempt: LiveAttempt, outcome: AttemptOutcome, verdict: Verdict | None, now: float
    ) -> None:
        entry = attempt.entry(
            outcome,
            verdict,
            started_seconds=attempt.began - self._began,
            ended_at=now,
            wait_seconds=self._waited,
            shown_chars=self._shown_chars,
        )
        self._waited = 0.0
        self.ending.attempts.append(entry)
        self._report.attempt_finished(entry)
