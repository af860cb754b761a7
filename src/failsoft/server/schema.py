"""The bodies of replies, as types: the code is checked against them and the schema made of them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from failsoft.notices.notice import ActionType, Severity

__all__ = [
    "AnswerBody",
    "CacheBody",
    "CircuitBody",
    "ErrorsBody",
    "FailureBody",
    "FieldProblem",
    "HealthBody",
    "NoticeBody",
    "ProblemBody",
    "RequestBody",
    "RouteBody",
]

Level = Literal["full", "cached", "rule", "minimal"]
Circuit = Literal["closed", "half_open", "open"]


class NoticeBody(TypedDict):
    """Words for a person: what happened, whose move it is, what to do now."""

    title: str
    body: str
    primary_action_label: str
    primary_action_type: ActionType
    retry_countdown_seconds: int | None
    show_status_page_link: bool
    severity: Severity
    reference: str
    locale: str


class CacheBody(TypedDict):
    """Of a saved answer."""

    age_seconds: int


class AnswerBody(TypedDict):
    """An answer: a model's, a saved one or a prepared one."""

    status: Literal["success"]
    response: str
    level: Level
    model: NotRequired[str]
    notice: NotRequired[NoticeBody]
    cache: NotRequired[CacheBody]
    suggested_actions: list[str]
    retry_in_seconds: NotRequired[int]
    links: NotRequired[dict[str, str]]
    circuit_state: Circuit
    request_id: str


class FailureBody(TypedDict):
    """No answer: what to tell the person instead."""

    status: Literal["error"]
    error: NoticeBody
    retryable: bool
    error_category: str
    level: Level
    suggested_actions: list[str]
    retry_in_seconds: NotRequired[int]
    links: NotRequired[dict[str, str]]
    circuit_state: Circuit
    request_id: str


class FieldProblem(TypedDict):
    """One field or header that is wrong."""

    field: str
    problem: str


class ProblemBody(TypedDict):
    """A request that cannot be taken (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[FieldProblem]]


class CircuitBody(TypedDict):
    """The default route's breaker: open only when all its targets are."""

    state: Circuit
    failure_count: int
    recovery_in_seconds: float | None


class RouteBody(TypedDict):
    """A route's breaker, and the targets that may serve it, best first."""

    route: str
    state: Circuit
    targets: list[str]


class RequestBody(TypedDict):
    """How far a request is, and what there is of its answer."""

    request_id: str
    status: Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
    created_at: str
    updated_at: str
    stream: bool
    last_event_id: int
    text: str
    actions: list[str]
    attempt: NotRequired[int]
    retry_in_seconds: NotRequired[int]
    retryable: NotRequired[bool]
    notice: NotRequired[NoticeBody]
    result: NotRequired[AnswerBody]


class ErrorsBody(TypedDict):
    """Failed attempts of one category, and when the last of them failed (RFC 3339)."""

    count: int
    last_at: str


class HealthBody(TypedDict):
    """The state of the service, from real traffic."""

    status: Literal["ok", "degraded", "down"]
    level: Level
    circuit_breaker: CircuitBody
    routes: list[RouteBody]
    targets: list[dict[str, Any]]
    stores: list[dict[str, Any]]
    errors: dict[str, ErrorsBody]
    rates: dict[str, float]
    service: str
    version: str
    simulated: NotRequired[str]
