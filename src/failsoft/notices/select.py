"""From a failure to the words for it."""

from __future__ import annotations

from collections.abc import Collection

from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.notices.catalogue import Catalogue
from failsoft.notices.notice import Notice

__all__ = ["notice_for", "suggested_actions"]

_INTERRUPTED_ACTIONS = {
    ErrorCategory.CONTENT_POLICY: "edit_input",
    ErrorCategory.PERMANENT: "edit_input",
    ErrorCategory.AUTH_ERROR: "contact_support",
}


def notice_for(
    failure: Verdict | ErrorCategory,
    *,
    catalogue: Catalogue,
    reference: str = "",
    locale: str = "en",
    retry_in_seconds: float | None = None,
    retrying: bool = False,
    shown: bool = False,
) -> Notice:
    """The notice for a failure.

    ``retrying`` is for while something is still being tried; without it the notice never says so.
    ``shown`` is for an answer that ended after some of it was shown, and wins over ``retrying``.
    ``retry_in_seconds`` is the true wait; without it the category's own countdown holds.
    """
    seconds = retry_in_seconds
    key = _key(failure, catalogue, "retrying" if retrying else "given_up")
    if shown:
        plain = catalogue.notice(key, seconds=seconds)
        seconds = plain.retry_countdown_seconds
        key = f"interrupted.{_INTERRUPTED_ACTIONS.get(_category(failure), 'retry')}"
    return catalogue.notice(key, reference=reference, locale=locale, seconds=seconds)


def suggested_actions(
    failure: Verdict | ErrorCategory,
    *,
    catalogue: Catalogue,
    locale: str = "en",
    retry_in_seconds: float | None = None,
    links: Collection[str] = (),
) -> tuple[str, ...]:
    """What a person may do next after a failure, best first, never nothing.

    ``links`` names the links the deployment has: ``help``, ``status_page``, ``history``.
    """
    key = _key(failure, catalogue, "given_up")
    return catalogue.actions(key, locale=locale, seconds=retry_in_seconds, links=links)


def _key(failure: Verdict | ErrorCategory, catalogue: Catalogue, state: str) -> str:
    """A reason has words of its own only where they help a person more than its category's."""
    if isinstance(failure, Verdict) and f"{failure.reason}.{state}" in catalogue.keys:
        return f"{failure.reason}.{state}"
    return f"{_category(failure)}.{state}"


def _category(failure: Verdict | ErrorCategory) -> ErrorCategory:
    return failure.category if isinstance(failure, Verdict) else failure
