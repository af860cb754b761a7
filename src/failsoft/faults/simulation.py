"""Reads ``<category|reason>[@target][;rate=0.2][;after=5]`` and makes the failure it names.

Failures are made of what a provider raises (:mod:`failsoft.classify.wire_errors`, or an exception
of the transport), never of verdicts: the classifier reads them as it reads real ones.
"""

from __future__ import annotations

import errno
import math
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from failsoft.classify.wire_errors import (
    BadReply,
    EmptyAnswer,
    ReplyFailed,
    Stopped,
    StreamCut,
    StreamFailed,
    TimedOut,
    Timer,
)
from failsoft.policy.target import Target

__all__ = ["AT_ONCE", "IN_STREAM", "TYPICAL", "Simulation", "parse_simulation"]


Make = Callable[[], Exception]

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

# Short enough to be waited for, long enough to be seen counting down.
_WAIT_SECONDS = "5"


class _Error(NamedTuple):
    """What the provider's error body says; ``stated`` are headers that come with it."""

    type: str
    message: str
    stated: Mapping[str, str] = _NO_HEADERS
    code: str = ""

    def body(self) -> dict[str, object]:
        error: dict[str, object] = {
            "type": self.type,
            "message": f"{self.message} (simulated)",
        }
        if self.code:
            error["details"] = {"error_code": self.code}
        return {"type": "error", "error": error}


_OVERLOADED = _Error("overloaded_error", "Overloaded")
_API_ERROR = _Error("api_error", "Internal server error")
_TIMEOUT = _Error("timeout_error", "The request timed out")
_RATE_LIMIT = _Error("rate_limit_error", "This would exceed your rate limit")
_BLOCKED = _Error("invalid_request_error", "Output blocked by content filtering policy")
_RETRY_AFTER = MappingProxyType({"retry-after": _WAIT_SECONDS})

_REPLIES: Final[Mapping[str, tuple[int, _Error]]] = MappingProxyType(
    {
        "overloaded": (529, _OVERLOADED),
        "server_error": (500, _API_ERROR),
        "unavailable": (503, _Error("api_error", "Service unavailable")),
        "conflict": (409, _Error("conflict_error", "Conflict")),
        "requests": (429, _RATE_LIMIT._replace(stated=_RETRY_AFTER)),
        "tokens": (
            429,
            _Error(
                "rate_limit_error",
                "This would exceed your limit of input tokens per minute",
                stated=_RETRY_AFTER,
            ),
        ),
        "rate_limited": (429, _RATE_LIMIT),
        "upstream": (504, _TIMEOUT),
        "billing": (402, _Error("billing_error", "Your credit balance is too low")),
        "authentication": (401, _Error("authentication_error", "invalid x-api-key")),
        "permission": (403, _Error("permission_error", "This key may not use that resource")),
        "suspended": (
            403,
            _Error("permission_error", "On hold", code="organization_on_hold"),
        ),
        "model_unavailable": (404, _Error("not_found_error", "model: not found")),
        "wrong_address": (404, _Error("not_found_error", "Not found")),
        "bad_request": (400, _Error("invalid_request_error", "max_tokens: wrong")),
        "too_large": (413, _Error("request_too_large", "Request exceeds the maximum size")),
        "context_too_long": (
            400,
            _Error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        ),
        "not_implemented": (501, _Error("not_implemented", "Not implemented")),
        "content_policy": (400, _BLOCKED),
        "unknown": (599, _Error("something_new", "Something new")),
    }
)


def _reply(status: int, error: _Error) -> Make:
    detail = f"HTTP {status} (simulated)"
    return lambda: ReplyFailed(detail, status=status, headers=error.stated, body=error.body())


def _event(error: _Error) -> Make:
    detail = "an error event (simulated)"
    return lambda: StreamFailed(detail, status=200, body=error.body())


def _stopped(reason: str) -> Make:
    message = {"type": "message", "role": "assistant", "content": [], "stop_reason": reason}
    return lambda: Stopped(f"stop_reason is {reason} (simulated)", status=200, body=message)


def _timed_out(timer: Timer) -> Make:
    # As the engine's own timer would, but at once: a minute's silence teaches nothing.
    return lambda: TimedOut(timer, 0.0, full_period=True)


def _cut() -> Exception:
    return StreamCut("the stream ended before message_stop (simulated)", status=200)


_PAGE: Final = "<html><body>Please sign in</body></html>"

AT_ONCE: Final[Mapping[str, Make]] = MappingProxyType(
    {
        **{reason: _reply(*told) for reason, told in _REPLIES.items()},
        "connection": lambda: ConnectionRefusedError(errno.ECONNREFUSED, "refused (simulated)"),
        "stream_cut": _cut,
        "saturated": lambda: OSError(errno.EMFILE, "too many open files (simulated)"),
        "no_answer": _timed_out(Timer.FIRST_CONTENT),
        "deadline": _timed_out(Timer.DEADLINE),
        "connection_setup": lambda: ssl.SSLCertVerificationError(
            "certificate verify failed (simulated)"
        ),
        "bad_call": lambda: ValueError("the body has no JSON form (simulated)"),
        "refusal": _stopped("refusal"),
        "bad_reply": lambda: BadReply(
            "neither a stream nor a message came (simulated)", status=200, body=_PAGE
        ),
        "empty_answer": lambda: EmptyAnswer("an answer without text (simulated)", thought=False),
        "thought_only": lambda: EmptyAnswer("thought without text (simulated)", thought=True),
        "edge": lambda: ReplyFailed("a page came (simulated)", status=403, body=_PAGE),
    }
)
"""By reason: the failure in place of a reply."""

IN_STREAM: Final[Mapping[str, Make]] = MappingProxyType(
    {
        "overloaded": _event(_OVERLOADED),
        "server_error": _event(_API_ERROR),
        "stream_cut": _cut,
        "rate_limited": _event(_RATE_LIMIT),
        "upstream": _event(_TIMEOUT),
        "no_answer": _timed_out(Timer.IDLE),
        "deadline": _timed_out(Timer.DEADLINE),
        "context_too_long": _stopped("model_context_window_exceeded"),
        "content_policy": _event(_BLOCKED),
        "refusal": _stopped("refusal"),
        "unknown": _event(_Error("something_new", "Something new")),
    }
)
"""By reason: the failure of a stream that has begun; only what real streams end with."""


TYPICAL: Final = MappingProxyType(
    {
        "transient": "overloaded",
        "rate_limited": "rate_limited",
        "timeout": "no_answer",
        "content_policy": "content_policy",
        "auth_error": "authentication",
        "permanent": "bad_request",
        "unknown": "unknown",
    }
)
"""The reason that a category stands for."""

_FORM: Final = "<category|reason>[@target][;rate=0.2][;after=5]"
_DECIMAL = re.compile(r"[01](?:\.[0-9]{1,9})?|\.[0-9]{1,9}")
_COUNT = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Attempts on ``target`` (a target's id; ``None``: on any) fail with ``reason``.

    A share of ``rate`` of them does, drawn for each attempt. ``after`` counts contents: the stream
    breaks when it has given so many, and one that ends before does not fail; ``None`` is a failure
    in place of a reply.
    """

    reason: str
    target: str | None = None
    rate: float = 1.0
    after: int | None = None

    def __str__(self) -> str:
        at = f"@{self.target}" if self.target else ""
        rate = f";rate={self.rate:g}" if self.rate < 1 else ""
        return f"{self.reason}{at}{rate}" + (f";after={self.after}" if self.after else "")

    def failure(self) -> Exception:
        """What the attempt raises."""
        return (AT_ONCE if self.after is None else IN_STREAM)[self.reason]()


def parse_simulation(said: str, targets: Sequence[Target]) -> Simulation:
    """Read what is to go wrong with calls to ``targets``.

    Raises :class:`ValueError`, which says what is wrong and what is allowed and follows a name: the
    header's, or the setting's.
    """
    head, *options = (part.strip() for part in said.split(";"))
    word, at, name = (part.strip() for part in head.partition("@"))
    values = _options(options)
    after = _after(values["after"]) if "after" in values else None
    return Simulation(
        reason=_reason(word, in_stream=after is not None),
        target=_target(name, targets) if at else None,
        rate=_rate(values["rate"]) if "rate" in values else 1.0,
        after=after,
    )


def _options(parts: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in parts:
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or name not in ("rate", "after"):
            raise ValueError(f"has a part that is neither rate= nor after=; it must be {_FORM}")
        if name in values:
            raise ValueError(f"says {name}= twice; it must be {_FORM}")
        values[name] = value
    return values


def _reason(word: str, *, in_stream: bool) -> str:
    reason = TYPICAL.get(word, word)
    if reason not in AT_ONCE:
        raise ValueError(
            f"must begin with a category ({', '.join(TYPICAL)}) or a reason ({', '.join(AT_ONCE)})"
        )
    if in_stream and reason not in IN_STREAM:
        raise ValueError(
            f"has after=, but {reason} never comes within a stream; "
            f"leave after= out, or take one of {', '.join(IN_STREAM)}"
        )
    return reason


def _target(name: str, targets: Sequence[Target]) -> str:
    for target in targets:
        if name in (target.id, target.model):
            return target.id
    known = ", ".join(target.id for target in targets)
    raise ValueError(f"names a target after @ that there is not; there is {known}")


def _rate(value: str) -> float:
    rate = float(value) if _DECIMAL.fullmatch(value) else math.nan
    if not 0 < rate <= 1:
        raise ValueError("has a rate= that must be a share of the attempts, above 0 and at most 1")
    return rate


def _after(value: str) -> int:
    if not _COUNT.fullmatch(value):
        raise ValueError("has an after= that must be a whole number of contents from 1 to 999999")
    return int(value)
