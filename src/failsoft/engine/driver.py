"""The asyncio driver: carries a plan out. It owns the task, the permits and the timers.

The timers of an attempt run on content and never on bytes.

Order, outside in: ladder( deadline( chain( retry( breaker( bulkhead( timers( wire call ))))))).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self
from unicodedata import category

from failsoft.attempt import Attempt, AttemptOutcome
from failsoft.classify import classify
from failsoft.classify.verdict import BreakerEffect, Sent, Verdict
from failsoft.classify.wire_errors import EmptyAnswer, TimedOut, Timer
from failsoft.engine import report
from failsoft.engine.deadline import LoopAlarms
from failsoft.engine.fitting import fit
from failsoft.engine.request import Request, Turn
from failsoft.engine.route import Route
from failsoft.engine.runtime import Runtime
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import Outcome
from failsoft.policy.plan_events import (
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
from failsoft.policy.target_guard import Permit
from failsoft.policy.timers import Limits
from failsoft.providers.protocol import Exchange, ProviderCall, WireEvent

__all__ = ["Driver", "GiveOut", "LiveAttempt"]


_THOUGHT = frozenset({"thinking", "redacted_thinking"})


_BLOCK_EDGES = frozenset({"content_block_start", "content_block_stop"})


def _opens_thought(event: WireEvent) -> bool:
    block = event.data.get("content_block")
    return isinstance(block, Mapping) and block.get("type") in _THOUGHT


# Controls, formats, white space. Half a character and one that is new to Python are shown somehow.
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def _is_visible(text: str) -> bool:
    return text[:1].isalnum() or any(category(char) not in _INVISIBLE for char in text)


# An alarm that rings so late rang in a loop that was held up: what has come meanwhile is not read
# yet, and is read before the target is taken for silent.
_LATE_SECONDS = 0.1


class Watchdog:
    """Cancels the current task when its attempt goes on too long, and says which timer it was.

    Like :class:`asyncio.Timeout`, with whose cancellation rules it agrees: inside the block the
    task is cancelled, at its end :class:`~failsoft.classify.wire_errors.TimedOut` is raised, unless
    the caller cancelled the task too. Unlike it, moving the moment back costs one store: content
    comes far more often than timers fire.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_alarms",
        "_began_at",
        "_begun",
        "_cancelling",
        "_clock",
        "_fired",
        "_limits",
        "_over",
        "_paused",
        "_spared",
        "_task",
        "_thinks",
        "last_content_at",
    )

    def __init__(self, limits: Limits, alarms: LoopAlarms, now: float) -> None:
        self._limits = limits
        self._alarms = alarms
        self._clock = alarms.loop.time
        self._fired: Timer | None = None
        self._over = False
        self._paused = False
        self._spared = float("-inf")
        self._began_at = self.last_content_at = now
        self._begun = False
        self._thinks = False

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._alarms.loop)
        if task is None:
            raise RuntimeError("a watchdog needs a running task")
        self._task = task
        self._cancelling = task.cancelling()
        self._set(min(self._limits.first_content_at, self._limits.answer_at))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        self._alarms.cancel(self._alarm)
        if self._fired is None:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._timed_out(self._fired) from error

    def opened(self, may_hop: Callable[[float], bool]) -> None:
        """The target's breaker opened by timeouts, in any thread: do not wait where one may hop."""
        with suppress(RuntimeError):  # the loop has ended
            self._alarms.loop.call_soon_threadsafe(self._end_for_another, may_hop)

    def _end_for_another(self, may_hop: Callable[[float], bool]) -> None:
        silent = not self._begun and not self._over and self._fired is None
        if silent and may_hop(self._clock()):
            self._fired = Timer.OPENED
            self._alarms.cancel(self._alarm)
            self._task.cancel()

    def content(self) -> bool:
        """Content has come; true the first time."""
        self.last_content_at = self._clock()
        if self._begun:
            return False
        self._begun = True
        # Silence may end the attempt sooner than the first content would have had to come.
        if self.last_content_at + self._limits.idle_seconds < self._alarm_at:
            self._bring_forward()
        return True

    def thinking(self, *, thinks: bool) -> None:
        """A block of thought opens or closes; silence in it may be longer."""
        if self._thinks is not thinks:
            self._thinks = thinks
            self._bring_forward()

    def _bring_forward(self) -> None:
        due = self._due()
        if due < self._alarm_at:
            self._alarms.cancel(self._alarm)
            self._set(due)

    def pause(self) -> None:
        """The reader is the one that is slow: silence is not the target's."""
        self._paused = True

    def resume(self) -> None:
        """The reader has caught up."""
        self._paused = False
        self.last_content_at = self._clock()

    def _set(self, due: float) -> None:
        self._alarm_at = due
        self._alarm = self._alarms.set(due, self._check)

    def _due(self) -> float:
        if not self._begun:
            return min(self._limits.first_content_at, self._limits.answer_at)
        silent_since = self._clock() if self._paused else self.last_content_at
        limits = self._limits
        longest = limits.thinking_seconds if self._thinks else limits.idle_seconds
        return min(silent_since + longest, limits.answer_at)

    def _check(self) -> None:
        due, now = self._due(), self._clock()
        if now < due:
            self._set(due)
            return
        timer = self._which(due)
        if timer is not Timer.DEADLINE and now - due > _LATE_SECONDS and due > self._spared:
            self._spared = due
            self._set(now + _LATE_SECONDS)
            return
        self._fired = timer
        self._task.cancel()

    def _which(self, due: float) -> Timer:
        if due >= self._limits.answer_at:
            return Timer.DEADLINE
        return Timer.FIRST_CONTENT if not self._begun else Timer.IDLE

    def _timed_out(self, timer: Timer) -> TimedOut:
        seconds = self._clock() - self._began_at
        full = timer is Timer.IDLE or (timer is Timer.FIRST_CONTENT and self._limits.full_period)
        return TimedOut(timer, seconds, full_period=full)


GiveOut = Callable[[str, Watchdog], Awaitable[None]]

# They say nothing of their own: one for all requests.
_STARTED, _FINISHED = Started(), Finished()


class LiveAttempt:
    """Sends the request to one target and reads the answer under the attempt's timers."""

    first_content_at: float | None = None
    soft_end = False
    _shows_text = False
    request_id: str | None = None

    def __init__(
        self,
        runtime: Runtime,
        request: Request,
        call: Call,
        permit: Permit,
        alarms: LoopAlarms,
        *,
        began: float,
        may_hop: Callable[[float], bool],
    ) -> None:
        self.call = call
        self.permit = permit
        self.message: dict[str, Any] = {}
        self.began = began
        self._runtime = runtime
        self._request = request
        self._alarms = alarms
        form = runtime.form_of(call.target)
        self._body, self.changes = fit(
            request.body, request.chat, call.target, form, runtime.efforts
        )
        self._may_hop = may_hop
        self._limits = permit.start(call.limits)

    async def exchange(self, give_out: GiveOut | None) -> None:
        """Read the answer to its end, giving its text out as it comes; raise what goes wrong."""
        target, limits = self.call.target, self._limits
        provider = self._request.provider or self._runtime.providers[target.provider]
        call = ProviderCall(
            target,
            self._body,
            self._headers(),
            request_id=self._request.id,
            number=self.call.number,
            seconds=max(limits.first_content_at - self.began, limits.idle_seconds),
            max_bytes=self._runtime.settings.max_answer_bytes,
            fresh=self._request.facts.may_have_effects,
        )
        with Watchdog(limits, self._alarms, self.began) as watch:
            self.permit.on_opened = partial(watch.opened, self._may_hop)
            async with provider.exchange(call) as exchange:
                self.request_id = exchange.request_id
                try:
                    await self._read(exchange, watch, give_out)
                finally:
                    self.message = exchange.message
                if headers := exchange.headers:
                    self._runtime.learn(target, headers)
        if self._request.degrades and not self._shows_text:
            self._check_for_text()

    def _headers(self) -> Mapping[str, str]:
        headers, traced = self._callers_headers(), self._runtime.trace_headers
        if traced is None:
            return headers
        return {**headers, **traced(self._request.id, self.call.number)}

    def _callers_headers(self) -> Mapping[str, str]:
        """What the caller adds is for one provider: it may be a key of his."""
        headers, request = self._request.headers, self._request
        if not headers or self.call.target.provider == request.addressee(self._runtime):
            return headers
        self.changes = (*self.changes, f"headers {', '.join(headers)} left out")
        return {}

    async def _read(self, exchange: Exchange, watch: Watchdog, give_out: GiveOut | None) -> None:
        held: list[str] = []
        async for event in exchange:
            if event.type in _BLOCK_EDGES:
                watch.thinking(thinks=_opens_thought(event))
            if not event.content:
                self.soft_end = event.type == "soft_end"
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


class Driver:
    """One request under way. :meth:`run` may be called once."""

    _waited = 0.0
    _shown_chars = 0
    _previous: Call | None = None
    _last_verdict: Verdict | None = None

    def __init__(self, turn: Turn, route: Route) -> None:
        runtime, request = turn.runtime, turn.request
        self._turn = turn
        self._runtime = runtime
        self._reader = turn.reader
        self._plan, self._caller = request.plan(runtime, route)
        self._alarms = runtime.alarms.running()
        self._clock = self._alarms.loop.time

    async def run(self) -> None:
        """Carry the plan out; the turn has how it ended. Cancellation passes straight through."""
        event: PlanEvent = _STARTED
        try:
            while True:
                now = self._clock()
                command = self._plan.next(event, now)
                if isinstance(command, Call):
                    event = await self._call(command, now)
                elif isinstance(command, Wait):
                    event = await self._wait(command)
                else:
                    break
            self._turn.ended_at = now
            if isinstance(command, GiveUp):
                self._turn.gave_up = command
        except BaseException:
            # The caller left, or the process is ending: what the plan holds is given back.
            self._plan.next(Cancelled(), self._clock())
            raise
        finally:
            # A failure that the turn keeps has this driver in its traceback.
            del self._turn

    async def _wait(self, wait: Wait) -> PlanEvent:
        seconds = max(0.0, wait.until - self._clock())
        report.waiting(self._turn, wait.why, seconds)
        if self._reader is not None:
            self._reader.waiting(wait.why, seconds, self._last_verdict)
        began = self._clock()
        woken = await self._runtime.waiters.sleep(seconds)
        self._waited += self._clock() - began
        return woken or TimerFired()

    async def _call(self, call: Call, now: float) -> PlanEvent:
        guard, shared = self._runtime.guards.of(call.target), self._runtime.shared
        lease_seconds = call.limits.lease_seconds
        if shared is not None and await shared.grant(guard, now, lease_seconds, self._caller):
            now = self._clock()
        permit = guard.admit(now, lease_seconds=lease_seconds, caller=self._caller)
        if isinstance(permit, Refusal):
            guard.give_back_grants()
            return Refused(permit)
        attempt = LiveAttempt(
            self._runtime,
            self._turn.request,
            call,
            permit,
            self._alarms,
            began=now,
            may_hop=self._plan.may_hop,
        )
        self._announce(attempt)
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
            raise
        now = self._clock()
        permit.finish(Outcome.SUCCESS, now)
        self._record(attempt, "success", None, now)
        self._turn.call, self._turn.message = call, attempt.message
        self._runtime.tool_turns.remember(attempt.message, call.target)
        return _FINISHED

    def _announce(self, attempt: LiveAttempt) -> None:
        call = attempt.call
        before, self._previous = self._previous, call
        if before is not None and before.target != call.target and self._last_verdict is not None:
            report.fell_back(self._turn, before.target.id, call.target.id, self._last_verdict)
            if self._reader is not None:
                self._reader.hopping()
        report.attempt_started(self._turn, call, attempt.permit)

    def _failed(self, attempt: LiveAttempt, error: Exception) -> Verdict:
        verdict = classify(error, provider=attempt.call.target.service, now=time.time())
        if verdict.reason == "bad_reply" and attempt.first_content_at is not None:
            # It answers, and too much of it: the request's affair, and not the target's.
            verdict = replace(verdict, breaker=BreakerEffect.NO)
        now = self._clock()
        self._runtime.guards.finish(attempt.permit, verdict, now)
        self._turn.failures.append((verdict, error))
        self._turn.message = attempt.message
        self._last_verdict = verdict
        self._record(attempt, "failure", verdict, now)
        return verdict

    async def _give_out(self, text: str, watch: Watchdog) -> None:
        reader, shown = self._reader, self._turn.shown
        if reader is None:
            return
        if not shown:
            self._plan.next(FirstContent(), self._clock())
        self._shown_chars += len(text)
        if self._shown_chars <= self._runtime.settings.max_answer_bytes:
            shown.append(text)
        if reader.full:
            watch.pause()
            try:
                await reader.room()
            finally:
                watch.resume()
        reader.text(text)

    def _record(
        self, attempt: LiveAttempt, outcome: AttemptOutcome, verdict: Verdict | None, now: float
    ) -> None:
        """Note in the ledger how an attempt ended."""
        turn, call, began = self._turn, attempt.call, attempt.began
        first, usage = attempt.first_content_at, attempt.message.get("usage")
        entry = Attempt(
            number=call.number,
            target=call.target.id,
            outcome=outcome,
            verdict=verdict,
            started_seconds=began - turn.request.times.started_at,
            duration_seconds=now - began,
            wait_seconds=self._waited,
            first_content_seconds=None if first is None else first - began,
            shown_chars=self._shown_chars,
            sent=verdict.sent if verdict is not None else Sent.MAYBE,
            usage=usage if isinstance(usage, dict) else {},
            provider_request_id=attempt.request_id,
            changes=attempt.changes,
            soft_end=attempt.soft_end,
        )
        self._waited = 0.0
        turn.attempts.append(entry)
        report.attempt_finished(turn, entry)
