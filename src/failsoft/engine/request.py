"""One request, admitted: who asks, for what, until when, of which targets; what has come of it."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol, Self

from failsoft.attempt import Attempt
from failsoft.classify.verdict import Verdict
from failsoft.config.settings import Settings, TimerSettings
from failsoft.engine.deadline import monotonic, request_times
from failsoft.engine.fitting import PREFILL, continues_assistant, unfit
from failsoft.engine.route import Route
from failsoft.engine.runtime import Runtime
from failsoft.errors import SettingError
from failsoft.notices import Catalogue
from failsoft.policy.callers import Caller
from failsoft.policy.plan import Plan
from failsoft.policy.plan_events import Call, GiveUp
from failsoft.policy.target import Target
from failsoft.policy.timers import RequestTimes, deadline_for, first_content_period
from failsoft.providers.http_wire import key_in
from failsoft.providers.protocol import Provider

__all__ = [
    "BodyFacts",
    "Reader",
    "Request",
    "Turn",
    "message_body",
    "new_request_id",
    "share_of_wait",
]


# English prose is about four characters a token; only the first-content timer is fed by it.
_CHARS_PER_TOKEN = 4

_THINKS = frozenset({"enabled", "adaptive"})

# Tools of these types are run by the client, whatever their name; every other typed tool is run
# by the provider.
_CLIENT_TOOLS = ("custom", "bash_", "text_editor_", "computer_", "memory_")


def message_body(
    message: str | Sequence[Mapping[str, Any]],
    *,
    history: Iterable[Mapping[str, Any]],
    system: str | None,
    max_tokens: int,
) -> dict[str, Any]:
    """The provider's own fields for one user message after ``history``.

    Raises :class:`~failsoft.errors.SettingError` for a message that is neither text nor blocks.
    """
    if not isinstance(message, str) and not _are_blocks(message):
        problem = f"must be text or a list of content blocks; it is {type(message).__name__}"
        raise SettingError("message", problem)
    content = message if isinstance(message, str) else list(message)
    body: dict[str, Any] = {
        "max_tokens": max_tokens,
        "messages": [*history, {"role": "user", "content": content}],
    }
    if system is not None:
        body["system"] = system
    return body


def _are_blocks(message: object) -> bool:
    return isinstance(message, Sequence) and all(isinstance(one, Mapping) for one in message)


def may_have_effects(body: Mapping[str, Any]) -> bool:
    """Whether the provider runs tools for this request, so that sending it twice may do twice."""
    if body.get("mcp_servers"):
        return True
    tools = body.get("tools")
    if not tools:
        return False
    kinds = (tool.get("type") for tool in tools if isinstance(tool, Mapping))
    return any(isinstance(kind, str) and not kind.startswith(_CLIENT_TOOLS) for kind in kinds)


def estimated_tokens(body: Mapping[str, Any]) -> int:
    """A rough count of the input tokens in the text of ``body``."""
    chars = _chars(body.get("messages"))
    if system := body.get("system"):
        chars += _chars(system)
    return chars // _CHARS_PER_TOKEN


def thought_tokens(body: Mapping[str, Any]) -> int | None:
    """The budget of thought that ``body`` asks for, 0 where it names none, ``None`` for no thought.

    >>> thought_tokens({"thinking": {"type": "enabled", "budget_tokens": 4096}})
    4096
    """
    thinking = body.get("thinking")
    if thinking and isinstance(thinking, Mapping) and thinking.get("type") in _THINKS:
        budget = thinking.get("budget_tokens")
        return budget if isinstance(budget, int) else 0
    return None if body.get("reasoning_effort") in (None, "none", "minimal") else 0


class BodyFacts(NamedTuple):
    """What the plan and the timers have to know of a body, which is walked once for it."""

    input_tokens: int
    thought_tokens: int | None
    may_have_effects: bool

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> BodyFacts:
        """Those of the provider's own fields."""
        return cls(estimated_tokens(body), thought_tokens(body), may_have_effects(body))

    def silence_seconds(self, timers: TimerSettings, named: float | None = None) -> float:
        """For how long the first target may be silent before its first content."""
        return first_content_period(
            timers,
            input_tokens=self.input_tokens,
            thought_tokens=self.thought_tokens,
            named=named,
        )


def _chars(part: Any) -> int:
    if isinstance(part, dict):
        # Images and documents are base64: their length says nothing about tokens.
        part = part.get("content") or part.get("text")
    if isinstance(part, str):
        return len(part)
    return sum(map(_chars, part)) if isinstance(part, list) else 0


# 128 random bits: a request id is a capability.
_ID_BYTES = 16
_ID = re.compile(r"[A-Za-z0-9_-]{22,128}")

# Countdowns are spread over at least this long, so that a thousand of them do not end at once.
_SHARE_SECONDS = 5.0


def new_request_id() -> str:
    """A fresh request id of 128 random bits, safe in addresses."""
    return "req_" + os.urandom(_ID_BYTES).hex()


def share_of_wait(rng: Random, ramp_seconds: float = 0.0) -> float:
    """One person's own share of seconds on top of a common time to come back."""
    return rng.uniform(0.0, max(_SHARE_SECONDS, ramp_seconds))


def _named_seconds(settings: Settings, model: str | None) -> float | None:
    """The first-content period that the settings name for the target that is called first."""
    first = settings.chain[0]
    if model is not None:
        first = model if "/" in model else f"{first.partition('/')[0]}/{model}"
    own = settings.targets.get(first)
    return None if own is None else own.first_content_seconds


def _checked_id(given: str) -> str:
    if not _ID.fullmatch(given):
        raise SettingError(
            "request_id", "must be 22 to 128 letters, digits, - or _; leave it out to get one"
        )
    return given


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. ``times`` are monotonic seconds; ``id`` is what a person gives support.

    One that ``degrades`` is for a person to read: an answer without text is none, and it may be
    served from a step of the ladder. ``targets``, ``timers`` and ``provider`` are its own where
    they are not those of its route and of the settings. ``chat`` is the body as Chat Completions
    has it, where it was sent so: ``body`` is then its translation. ``retries`` bound the calls of
    one target after its first. Of one that ``shows_first_content`` not, nothing is seen before
    its whole answer.
    """

    body: Mapping[str, Any]
    facts: BodyFacts
    times: RequestTimes
    route: str = "chat"
    model: str | None = None
    locale: str = "en"
    principal: str | None = None
    tenant: str | None = None
    degrades: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    timers: TimerSettings | None = None
    provider: Provider | None = None
    chat: Mapping[str, Any] | None = None
    retries: int | None = None
    shows_first_content: bool = True
    left_out: tuple[str, ...] = ()
    id: str = field(default_factory=new_request_id)

    @classmethod
    def of(
        cls,
        body: Mapping[str, Any],
        settings: Settings,
        *,
        stream: bool,
        timeout: float | None,
        route: str,
        model: str | None,
        locale: str | None,
        principal: str | None,
        tenant: str | None,
        request_id: str | None,
        headers: Mapping[str, str] | None = None,
        degrades: bool = True,
    ) -> Self:
        """The request of one call that begins now; see :meth:`.Failsoft.ask` for what it raises."""
        facts = BodyFacts.of(body)
        named = _named_seconds(settings, model) if settings.targets else None
        silence = facts.silence_seconds(settings.timers, named)
        own = deadline_for(settings, silence, stream=stream)
        return cls(
            body=body,
            facts=facts,
            times=request_times(
                settings, monotonic(), timeout=timeout, stream=stream, own_seconds=own
            ),
            route=route,
            model=model,
            locale=locale or settings.locale,
            principal=principal,
            tenant=tenant,
            degrades=degrades,
            headers=headers or {},
            id=_checked_id(request_id) if request_id else new_request_id(),
        )

    def chain(self, runtime: Runtime) -> tuple[Target, ...]:
        """The targets in the order to try: the model asked for first, then the route's chain."""
        if self.targets:
            return self.targets
        chain = runtime.chain_of(self.route)
        first = None if self.model is None else runtime.target(self.model)
        targets = chain.targets if first is None else chain.led_by(first)
        if self.headers and (key := key_in(self.headers)):
            own = self.addressee(runtime)
            return tuple(one.under(key) if one.provider == own else one for one in targets)
        return targets

    def addressee(self, runtime: Runtime) -> str:
        """The provider that the caller's own headers are for: that of the first target.

        One that is left out of the chain for want of a key counts: the caller may bring that key.
        """
        if self.targets:
            return self.targets[0].provider
        if self.model is not None:
            return runtime.target(self.model).provider
        return runtime.chain_of(self.route).addressee

    def _caller(self) -> Hashable:
        """The caller, by its names or by the key that it shows; ``None`` where it has neither."""
        targets = self.targets
        account = targets[0].account if targets and not targets[0].shared else ""
        if account or self.principal or self.tenant:
            return (self.tenant, self.principal, account)
        return None

    def plan(self, runtime: Runtime, route: Route) -> tuple[Plan, Caller]:
        """The plan of this request, and who calls; targets that cannot take it are left out."""
        chain, caller = self._able(runtime, self.chain(runtime)), route.caller(self._caller())
        plan = Plan(
            chain,
            self.times,
            retry=runtime.settings.retry,
            timers=self.timers or runtime.settings.timers,
            budget=route.retries,
            guards=runtime.guards,
            caller=caller,
            rng=runtime.rng,
            input_tokens=self.facts.input_tokens,
            thought_tokens=self.facts.thought_tokens,
            may_have_effects=self.facts.may_have_effects,
            retries=self.retries,
            learns=self.shows_first_content,
        )
        return plan, caller

    def _able(self, runtime: Runtime, chain: tuple[Target, ...]) -> tuple[Target, ...]:
        """The targets of ``chain`` that can take this request, those of its tool loop first.

        Raises :class:`~failsoft.errors.SettingError` where there is none, by the field.
        """
        chain = runtime.tool_turns.first(chain, self.body)
        if self.chat is None and not runtime.translates and not continues_assistant(self.body):
            return chain
        fields = [unfit(self.body, self.chat, one, runtime.form_of(one)) for one in chain]
        able = tuple(one for one, field in zip(chain, fields, strict=True) if field is None)
        if not able and PREFILL in fields:  # what is known of a model may be outdated
            able = chain[:1]
        if not able:
            names = ", ".join(target.id for target in chain)
            raise SettingError(str(fields[0]), f"can be sent to no target of this chain: {names}")
        if len(able) < len(chain):
            self.left_out = tuple(target.id for target in chain if target not in able)
        return able

    def share(self, runtime: Runtime) -> float:
        """This request's own share of seconds on top of a common time to come back."""
        return share_of_wait(runtime.rng, runtime.settings.breaker.ramp_seconds)


class Reader(Protocol):
    """Receives an answer while it comes. A plain answer has none."""

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the reader."""
        ...

    async def room(self) -> None:
        """Return once it is not full."""
        ...

    def text(self, text: str) -> None:
        """Give out some text."""
        ...

    def hopping(self) -> None:
        """Another target is being tried."""
        ...

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        """The request waits before its next call."""
        ...


class Turn:
    """What the steps of the pipeline hand on: the request with its surroundings, and its ledger.

    ``call`` is the one that gave the answer, ``gave_up`` why there is none; both are ``None``
    before the end and where a saved answer was served before any call. ``ended_at`` is in monotonic
    seconds, ``hops`` counts the times that the request went on to another target, ``shown`` is the
    text sent to the reader so far.
    """

    call: Call | None = None
    gave_up: GiveUp | None = None
    hops = 0

    def __init__(
        self, runtime: Runtime, request: Request, catalogue: Catalogue, reader: Reader | None = None
    ) -> None:
        self.runtime = runtime
        self.request = request
        self.catalogue = catalogue
        self.reader = reader
        self.attempts: list[Attempt] = []
        self.failures: list[tuple[Verdict, Exception]] = []
        self.shown: list[str] = []
        self.message: dict[str, Any] = {}
        self.ended_at = request.times.started_at

    def cause(self, verdict: Verdict | None) -> Exception | None:
        """What the provider raised that led to ``verdict``."""
        for known, error in self.failures:
            if known is verdict:
                return error
        return None
