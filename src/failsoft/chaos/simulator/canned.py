"""Faults that are a reply of their own, sent whole in place of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from failsoft.chaos.simulator.behaviour import Fault
from failsoft.chaos.simulator.wire import Reply, error_of_type, error_reply

__all__ = ["canned_reply"]

_WINDOW: Final = 200_000

_Told = tuple[int, str | None, str | None]
"""Status, ``error.message`` and ``details.error_code``; None for the status's usual message."""

_NO_CREDIT: Final = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
    "upgrade or purchase credits."
)
_SPENT: Final = (
    "This request would exceed your account's monthly spend limit. Please try again later."
)
_TOLD: Final[Mapping[str, _Told]] = {
    "bad_key": (401, None, None),
    "credit_balance": (400, _NO_CREDIT, None),
    "rate_limit": (429, None, None),
    "spend_limit": (429, _SPENT, "enforced_spend_limit_reached"),
    "suspended": (400, "This organization has been disabled.", "organization_on_hold"),
}


def canned_reply(fault: Fault, *, model: str, tokens: int, request_id: str, epoch: float) -> Reply:
    """The whole reply that this fault is: every fault is one that has no act of its own."""
    if fault.name.isdecimal():
        return _status(fault, request_id)
    if fault.name == "html":
        return _page(fault.status)
    if fault.name == "error_body":
        return Reply(status=200, body=error_of_type(fault.type, request_id).body)
    status, message, code = _told(fault, model=model, tokens=tokens, epoch=epoch)
    return error_reply(status, request_id, message=message, code=code)


def _told(fault: Fault, *, model: str, tokens: int, epoch: float) -> _Told:
    match fault.name:
        case "context_limit":
            limit = fault.tokens or _WINDOW
            told = f"prompt is too long: {max(tokens, limit + 1)} tokens > {limit} maximum"
            return 400, told, None
        case "unknown_model":
            return 404, f"model: {model}", None
        case "usage_limit":
            told = f"You have reached your specified API usage limits. {_back_on(epoch)}"
            return 400, told, None
        case name:
            return _TOLD[name]


def _status(fault: Fault, request_id: str) -> Reply:
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    return error_reply(
        int(fault.name), request_id, message=fault.message, code=fault.code, headers=headers
    )


def _page(status: int) -> Reply:
    title = f"{status} Bad Gateway" if status == 502 else str(status)  # noqa: PLR2004 - HTTP status
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status=status, body=page.encode(), content_type="text/html")


def _back_on(epoch: float) -> str:
    now = datetime.fromtimestamp(epoch, UTC)
    year, month = divmod(now.year * 12 + now.month, 12)
    return f"You will regain access on {year}-{month + 1:02}-01 at 00:00 UTC."
