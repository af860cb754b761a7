"""The one table of alerts, for Prometheus and for the process itself.

``alerts.yml`` is written from it (:mod:`failsoft.telemetry.prometheus_rules`), and
:mod:`failsoft.telemetry.alerts` judges by it without Prometheus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from failsoft.classify.truth_table import ROWS
from failsoft.classify.verdict import ErrorCategory, Fault

__all__ = [
    "ALERTS",
    "ATTEMPTS",
    "DAY_SECONDS",
    "PROVIDER_STATUS_PAGE",
    "REQUESTS",
    "WINDOW_SECONDS",
    "Alert",
    "AlertInputs",
    "Condition",
    "Counted",
    "Rise",
    "RouteOpen",
    "Selector",
    "Severity",
    "Share",
    "StoreDown",
]

WINDOW_SECONDS: Final = 300.0
DAY_SECONDS: Final = 86_400.0

PROVIDER_STATUS_PAGE: Final = "https://status.anthropic.com"
"""Where the one provider there is says how it is."""

Severity: TypeAlias = Literal["page", "ticket", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """The series of one counter: each of the labels ``are`` so, and none of ``are_not``.

    ``matches`` are labels with one of several values.
    """

    metric: str
    are: tuple[tuple[str, str], ...] = ()
    matches: tuple[tuple[str, tuple[str, ...]], ...] = ()
    are_not: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def selects(self, metric: str, labels: Mapping[str, str]) -> bool:
        """Whether a series is one of these; a label it does not have is empty."""
        if metric != self.metric:
            return False
        for name, value in self.are:
            if labels.get(name, "") != value:
                return False
        if any(labels.get(name, "") not in values for name, values in self.matches):
            return False
        return all(labels.get(name, "") not in values for name, values in self.are_not)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``part`` of the requests of the last five minutes is more than ``above`` of them."""

    part: Selector
    above: float
    at_least: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """``at_least`` so many were counted in the last five minutes.

    ``without``: and none of those. ``while_open``: and the breaker of some target is open.
    """

    of: Selector
    at_least: int = 1
    without: Selector | None = None
    while_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertInputs:
    """Any of these holds."""

    any_of: tuple[Counted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOpen:
    """All breakers of a route are open, or were within ``held_seconds``.

    Between two probes a breaker is half open for moments: that is no recovery.
    """

    held_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDown:
    """A store has been down for ``seconds`` on end."""

    seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """In the last day there were ``at_least`` of these, and ``times`` as many as the day before."""

    of: Selector
    times: float = 2.0
    at_least: int = 20


Condition: TypeAlias = Share | AlertInputs | RouteOpen | StoreDown | Rise


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; its page is ``docs/runbooks/<page>.md``."""

    name: str
    page: str
    severity: Severity
    who: str
    summary: str
    description: str
    condition: Condition


_USER: Final = (("fault", (Fault.USER.value,)),)
_ALWAYS_USER: Final = tuple(
    sorted(
        {row.reason for row in ROWS.values() if row.fault is Fault.USER}
        - {row.reason for row in ROWS.values() if row.fault is not Fault.USER}
    )
)

ATTEMPTS: Final = "failsoft_attempts_total"
REQUESTS: Final = Selector(metric="failsoft_requests_total", are_not=_USER)
"""Everything that a share is a share of: what users cause is on neither side of the line."""


def _ended_by(category: ErrorCategory) -> Selector:
    return Selector(
        metric="failsoft_requests_total", are=(("category", category.value),), are_not=_USER
    )


_AUTH: Final = (("category", ErrorCategory.AUTH_ERROR.value),)
# By host, and counted by its breaker: one may be a network's passing fault, the others never are.
_SET_UP_REASONS: Final = ("connection_setup", "wrong_address")
_SET_UP: Final = Selector(metric=ATTEMPTS, matches=(("reason", _SET_UP_REASONS),))


ALERTS: Final[tuple[Alert, ...]] = (
    Alert(
        name="FailsoftRateLimited",
        page="rate-limited",
        severity="ticket",
        who="owner of the account tier",
        summary="The provider's rate limit turns requests away.",
        description="More than 5 % of the requests of the last 5 minutes ended at a rate limit.",
        condition=Share(part=_ended_by(ErrorCategory.RATE_LIMITED), above=0.05),
    ),
    Alert(
        name="FailsoftTransient",
        page="transient",
        severity="page",
        who="on call",
        summary="The provider fails, and the other targets do not make up for it.",
        description="More than 10 % of the requests of the last 5 minutes ended in a failure that "
        "passes by itself: overload, server errors, no connection.",
        condition=Share(part=_ended_by(ErrorCategory.TRANSIENT), above=0.10),
    ),
    Alert(
        name="FailsoftCircuitOpen",
        page="circuit-open",
        severity="page",
        who="on call, at once",
        summary="No model is asked on a route: all its breakers are open.",
        description="All breakers of a route are open, or were within the last minute. People are "
        "given saved answers, prepared answers or a message. See the provider's status page.",
        condition=RouteOpen(),
    ),
    Alert(
        name="FailsoftFallback",
        page="fallback",
        severity="ticket",
        who="reliability of the primary",
        summary="The first target is not the one that answers.",
        description="Fallback targets served more than 5 % of the requests of the last 5 minutes.",
        condition=Share(
            part=Selector(metric="failsoft_served_total", are_not=(("position", ("0",)),)),
            above=0.05,
        ),
    ),
    Alert(
        name="FailsoftAuthOrBilling",
        page="auth-or-billing",
        severity="page",
        who="operator",
        summary="The provider refuses our key or our account, or is not at its address.",
        description="In the last 5 minutes calls were refused for their key, their permissions or "
        "billing, or requests ended for it; or three calls met a wrong address, a certificate or a "
        "proxy. It does not pass by itself.",
        condition=AlertInputs(
            any_of=(
                Counted(
                    of=Selector(metric=ATTEMPTS, are=_AUTH, are_not=(("reason", _SET_UP_REASONS),))
                ),
                # A dead key is asked for again after minutes or an hour; requests end of it.
                Counted(of=Selector(metric="failsoft_requests_total", are=_AUTH), without=_SET_UP),
                Counted(of=_SET_UP, at_least=3),
                Counted(of=_SET_UP, while_open=True),
            )
        ),
    ),
    Alert(
        name="FailsoftTimeouts",
        page="timeouts",
        severity="page",
        who="on call",
        summary="Answers do not come in time.",
        description="More than 5 % of the requests of the last 5 minutes ended without an answer "
        "in time. Limits that callers set themselves are not counted.",
        condition=Share(part=_ended_by(ErrorCategory.TIMEOUT), above=0.05),
    ),
    Alert(
        name="FailsoftInterruptedStreams",
        page="interrupted-streams",
        severity="page",
        who="on call",
        summary="Answers break off after their first words.",
        description="Streams that broke off are more than 2 % of the requests of the last "
        "5 minutes.",
        condition=Share(
            part=Selector(
                metric="failsoft_stream_interruptions_total", are_not=(("reason", _ALWAYS_USER),)
            ),
            above=0.02,
        ),
    ),
    Alert(
        name="FailsoftStoreDown",
        page="store-down",
        severity="page",
        who="on call",
        summary="A store of failsoft cannot be used.",
        description="A store has been down for a minute. Answers go out, but what it keeps is not "
        "kept.",
        condition=StoreDown(),
    ),
    Alert(
        name="FailsoftContentPolicyRise",
        page="content-policy",
        severity="note",
        who="a daily note; never pages",
        summary="More messages than usual are declined for their content.",
        description="In the last day at least 20 requests were declined for their content, and "
        "more than twice as many as the day before.",
        condition=Rise(
            of=Selector(
                metric="failsoft_requests_total",
                are=(("category", ErrorCategory.CONTENT_POLICY.value),),
            )
        ),
    ),
)
"""Every alert, in the order of the documentation."""
