"""What goes wrong in a check, and what each of them demands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CASES", "PLANTED", "Case"]

PLANTED: Final = "planted-7f3c"
"""Stands in the provider's own words, and so in every text made from its exception."""

_MANY: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault of every model, and how often they may be called for one question.

    ``least`` and ``most`` are calls in all, ``each`` those to one model. ``demand`` says it in
    words. ``stream`` is asked over the stream where there is one.
    """

    name: str
    category: str
    fault: str
    question: str
    demand: str
    least: int = 1
    most: int = _MANY
    each: int = _MANY
    stream: bool = False


CASES: Final = (
    Case(
        name="transient",
        category="transient",
        fault=f"529;message=Overloaded {PLANTED}",
        question="Which papers does a mortgage need?",
        demand=f"tried again, here or with another model, and at most {_MANY} times",
        least=2,
    ),
    Case(
        name="rate_limited",
        category="rate_limited",
        fault=f"429;retry_after=30;message=Too many requests {PLANTED}",
        question="How is interest on savings taxed?",
        demand="no model called again before the 30 s that the provider asked for",
        each=1,
    ),
    Case(
        name="timeout",
        category="timeout",
        fault="hang",
        question="When does the branch in the old town open?",
        demand="no silent model called more than twice",
        each=2,
    ),
    Case(
        name="content_policy",
        category="content_policy",
        fault="content_filter",
        question="Is there a fee for cash abroad?",
        demand="called once: the same words are refused again",
        most=1,
    ),
    Case(
        name="auth_error",
        category="auth_error",
        fault="bad_key",
        question="Can two people share one account?",
        demand="called once: the key stays wrong",
        most=1,
    ),
    Case(
        name="permanent",
        category="permanent",
        fault=f"400;message=messages: unexpected value {PLANTED}",
        question="Who signs for a minor?",
        demand="called once: the same request stays wrong",
        most=1,
    ),
    Case(
        name="unknown",
        category="unknown",
        fault="html;status=200",
        question="What does a standing order cost?",
        demand="no model called more than twice",
        each=2,
    ),
    Case(
        name="cut stream",
        category="transient",
        fault="cut;after=3",
        question="How long does a transfer to Norway take?",
        demand=f"called at most {_MANY} times, and once where words were shown",
        stream=True,
    ),
)
