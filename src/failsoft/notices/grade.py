"""How many years of school an English text asks of its reader."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

__all__ = ["load_grader"]


def load_grader() -> Callable[[str], float] | None:
    """The Flesch-Kincaid grade of a text, by textstat; ``None`` where that is not installed.

    It reads its word list (1 s, once) from its own package, never from the network.
    """
    try:
        textstat = import_module("textstat")
    except ImportError:
        return None
    grade: Callable[[str], float] = textstat.flesch_kincaid_grade
    return grade
