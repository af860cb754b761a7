"""One request, admitted: who asks, for what, until when, of which targets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from failsoft.config.settings import TimerSettings
from failsoft.engine.body import continues_assistant, estimated_tokens, may_have_effects
from failsoft.engine.core import Core
from failsoft.errors import SettingError
from failsoft.policy.plan import Plan
from failsoft.policy.target import Target
from failsoft.policy.timers import RequestTimes
from failsoft.providers.protocol import Provider

__all__ = ["Request", "checked_request_id", "new_request_id", "share_of_wait"]

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


def checked_request_id(given: str) -> str:
    """``given``, if it can serve; raises :class:`~failsoft.errors.SettingError`."""
    if not _ID.fullmatch(given):
        raise SettingError(
            "request_id", "must be 22 to 128 letters, digits, - or _; leave it out to get one"
        )
    return given


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. ``times`` are monotonic seconds; ``id`` is what a person tells support.

    One that ``degrades`` may be served from a step of the ladder. ``targets``, ``timers`` and
    ``provider`` are its own where they are not those of its route and of the settings.
    """

    body: Mapping[str, Any]
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
    left_out: tuple[str, ...] = ()
    id: str = field(default_factory=new_request_id)

    def chain(self, core: Core) -> tuple[Target, ...]:
        """The targets in the order to try: the model asked for first, then the route's chain."""
        if self.targets:
            return self.targets
        chain = core.chain_of(self.route)
        return chain.targets if self.model is None else chain.led_by(core.target(self.model))

    def plan(self, core: Core) -> Plan:
        """The plan of this request; targets that cannot take it are left out."""
        chain = self.chain(core)
        if continues_assistant(self.body):
            able = tuple(target for target in chain if target.accepts_prefill) or chain[:1]
            self.left_out = tuple(target.id for target in chain if target not in able)
            chain = able
        return Plan(
            chain,
            self.times,
            retry=core.settings.retry,
            timers=self.timers or core.settings.timers,
            budget=core.budget,
            peek=core.gates.peek,
            rng=core.rng,
            input_tokens=estimated_tokens(self.body),
            may_have_effects=may_have_effects(self.body),
        )

    def share(self, core: Core) -> float:
        """This request's own share of seconds on top of a common time to come back."""
        return share_of_wait(core.rng, core.settings.breaker.ramp_seconds)
