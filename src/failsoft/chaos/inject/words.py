"""``<category|reason>[@target][;rate=0.2][;after=5]``: what is to go wrong, in one line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from failsoft.chaos.inject.failures import AT_ONCE, IN_STREAM
from failsoft.policy.target import Target

__all__ = ["TYPICAL", "Simulation", "parse_simulation"]

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
