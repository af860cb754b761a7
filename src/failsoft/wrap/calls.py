"""What one wrapped client's calls go through: the engine, with the SDK in the provider's place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from failsoft.config.fields import DAY
from failsoft.config.settings import TimerSettings
from failsoft.engine.answer import Answer
from failsoft.engine.deadline import monotonic, request_times
from failsoft.engine.pipeline import carry_out
from failsoft.engine.request import BodyFacts, Request, Turn
from failsoft.engine.runtime import Runtime
from failsoft.errors import SettingError
from failsoft.notices import Catalogue
from failsoft.policy.target import Target
from failsoft.policy.timers import RequestTimes, deadline_for
from failsoft.providers.models import host_of, target_for
from failsoft.providers.sdk import ClientProvider
from failsoft.wrap.answer_of import ANSWER
from failsoft.wrap.pipe import Pipe, Streamed, tells_itself
from failsoft.wrap.replies import Reply

__all__ = ["Account", "Asking", "Calls"]

# Targets that are remembered: who takes models or keys from users may be given any number.
_KNOWN_TARGETS = 1000


class Account(NamedTuple):
    """Whose call it is: the key that it shows, and where."""

    key: str
    base_url: str

    def __repr__(self) -> str:
        return f"Account(base_url={self.base_url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request of a wrapped client, whichever SDK makes it.

    ``model`` is the target that is asked, by its name: ``provider/model``. ``body`` is a body of
    the Messages API, ``chat`` one of Chat Completions where it was sent so. ``cap_seconds`` are the
    caller's for all of it, ``retries`` how often he lets one model be called again; ``None`` where
    he did not say. ``failed`` makes the exception of an answer that failed, by its cause. Of one
    that ``stays`` no other model is called.
    """

    model: str
    streams: bool
    body: Mapping[str, Any]
    account: Account
    provider: ClientProvider[Reply]
    failed: Callable[[Answer, BaseException | None], BaseException]
    chat: Mapping[str, Any] | None = None
    max_tokens: object = None
    cap_seconds: float | None = None
    retries: int | None = None
    stays: bool = False

    def failure(self, answer: Answer, turn: Turn) -> BaseException:
        """The SDK's exception for an answer that failed."""
        return self.failed(answer, turn.cause(answer.verdict))


class Calls:
    """The requests of one wrapped client, which calls ``provider``.

    ``chain`` are targets by their names; it is empty where the client's models never change.
    """

    def __init__(
        self,
        runtime: Runtime,
        catalogue: Catalogue,
        *,
        chain: Sequence[str],
        route: str,
        account: Account,
        provider: str,
    ) -> None:
        self._runtime = runtime
        self._catalogue = catalogue
        self._route = route
        self._own = account
        self._provider = provider
        self._known: dict[tuple[str, Account], Target] = {}
        self._chain = tuple(chain)
        for spec in self._chain:
            self._target(spec, account)  # what is wrong with it is said here

    @property
    def max_bytes(self) -> int:
        """The largest answer, unpacked."""
        return self._runtime.settings.max_answer_bytes

    async def plain(self, asking: Asking) -> Reply:
        """The reply to a request that is answered at once; raises what the SDK would raise."""
        turn = Turn(self._runtime, self._request(asking), self._catalogue)
        return _concluded(await carry_out(turn), turn, asking)

    async def streamed(self, asking: Asking) -> Reply | Streamed:
        """The stream once it has content, else the reply in its place."""
        pipe = Pipe(asking.provider)
        turn = Turn(self._runtime, self._request(asking), self._catalogue, pipe)
        task = asyncio.create_task(pipe.run(turn, asking.failure))
        try:
            await pipe.begun()
        except BaseException:
            task.cancel()
            await asyncio.wait((task,))
            raise
        reply = asking.provider.latest
        if not pipe.opened and pipe.conclusion is not None:
            reply = _concluded(*pipe.conclusion, asking)
        if reply is None:
            raise RuntimeError("a stream began without a reply")
        return Streamed(reply, pipe, task) if reply.in_parts else reply

    def _request(self, asking: Asking) -> Request:
        timers = self._runtime.settings.timers
        if not asking.streams:
            tokens = asking.max_tokens
            timers = _unseen(timers, tokens if isinstance(tokens, int) else 0)
        facts = BodyFacts.of(asking.body)
        return Request(
            body=asking.body,
            chat=asking.chat,
            facts=facts,
            times=self._times(asking, timers, facts.silence_seconds(timers)),
            route=self._route,
            model=asking.model,
            degrades=False,
            targets=self._targets(asking),
            timers=timers,
            retries=asking.retries,
            provider=self._runtime.breaking(asking.provider),
            shows_first_content=asking.streams,
        )

    def _times(self, asking: Asking, timers: TimerSettings, silence_seconds: float) -> RequestTimes:
        settings, now, cap = self._runtime.settings, monotonic(), asking.cap_seconds
        if not asking.streams:
            own, longest = settings.deadline_seconds, settings.answer_timeout_seconds
            if own >= 2 * timers.wrapped_seconds:  # a shorter one was chosen, and is kept
                own = max(own, min(2 * timers.first_content_seconds, longest))
            return request_times(settings, now, timeout=cap, stream=False, own_seconds=own)
        own = deadline_for(settings, silence_seconds, stream=True)
        times = request_times(settings, now, timeout=None, stream=True, own_seconds=own)
        # The SDK's own limit is on the silence in a stream, and not on its length.
        ends = times.deadline_at if cap is None else min(times.deadline_at, now + cap)
        return times._replace(deadline_at=ends)

    def _targets(self, asking: Asking) -> tuple[Target, ...]:
        first = self._target(asking.model, asking.account)
        if asking.stays:
            return (first,)
        chain = (self._target(spec, asking.account) for spec in self._chain)
        return (first, *(target for target in chain if target != first))

    def _target(self, spec: str, account: Account) -> Target:
        known = self._known.get((spec, account))
        if known is None:
            known = self._make_target(spec, account)
            if len(self._known) >= _KNOWN_TARGETS:
                self._known.clear()
            self._known[spec, account] = known
        return known

    def _make_target(self, spec: str, account: Account) -> Target:
        if not spec.startswith(f"{self._provider}/"):
            raise SettingError("chain", f"a client of {self._provider} cannot call {spec}")
        target = target_for(spec, self._runtime.settings)
        self._runtime.chain_of(self._route).check(target)
        host = host_of(account.base_url) if urlsplit(account.base_url).hostname else ""
        return target.under(account.key, host=host, shared=account == self._own)


def _concluded(answer: Answer, turn: Turn, asking: Asking) -> Reply:
    provider = asking.provider
    if answer.status == "success":
        reply = provider.latest
    else:
        reply = provider.reply_with(turn.cause(answer.verdict))
        if reply is None or not _usable(reply, answer, turn, provider):
            raise asking.failure(answer, turn)
    if reply is None:
        raise RuntimeError("an answer came without a reply")
    reply.http.extensions[ANSWER] = answer
    return reply


def _usable(reply: Reply, answer: Answer, turn: Turn, provider: ClientProvider[Reply]) -> bool:
    """Whether the SDK can make of it what it would have made without failsoft."""
    if reply.status >= HTTPStatus.BAD_REQUEST and reply.ended:
        reply.http.headers["x-should-retry"] = "false"  # all that helps was tried
        return True
    return tells_itself(provider, answer, turn)


@lru_cache(maxsize=64)
def _unseen(timers: TimerSettings, max_tokens: int) -> TimerSettings:
    """The timers of a plain answer: nothing is seen of it until it is whole."""
    seconds = max(timers.wrapped_seconds, max_tokens / timers.wrapped_tokens_per_second)
    seconds = max(min(seconds, DAY), timers.first_content_min_seconds)
    return replace(timers, first_content_seconds=seconds)
