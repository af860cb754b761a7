"""A notice as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ActionType", "Notice", "Severity"]

ActionType = Literal["retry", "edit_input", "contact_support", "wait", "continue"]
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Product copy shown to a person: what happened, whether they need to act, what to do now.

    ``retry_countdown_seconds`` is whole seconds, or ``None`` where there is nothing to count down
    to. ``reference`` is the request id, for support.
    """

    title: str
    body: str
    primary_action_label: str
    primary_action_type: ActionType
    retry_countdown_seconds: int | None
    show_status_page_link: bool
    severity: Severity
    reference: str
    locale: str
