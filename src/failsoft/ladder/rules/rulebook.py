"""Prepared answers from a folder of Markdown files that people change while it is in use."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from failsoft.errors import RuleFolderError, extra
from failsoft.forks import in_every_child
from failsoft.ladder.rules.index import Found, Shelves
from failsoft.ladder.rules.rule import RuleProblem
from failsoft.ladder.rules.vocabulary import Vocabulary

if TYPE_CHECKING:
    from failsoft.ladder.embedder import Embedder

__all__ = ["RuleBook", "RuleMatch"]

_LOOK_EVERY_SECONDS = 2.0
_WAIT_SECONDS = 0.25

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMatch:
    """A prepared answer to a question.

    ``text`` is Markdown without HTML. ``score`` is 1 for a question that stands in the rule word
    for word, else how well it fits, below or at 1; ``how`` says by what it was found.
    """

    text: str
    link: str | None
    link_label: str | None
    action: str | None
    name: str
    score: float
    how: Literal["exact", "semantic", "text"]


def _log(problem: RuleProblem) -> None:
    _logger.warning("the last good version of a rule stays in force: %s", problem)


class RuleBook:
    """The rules of a folder. Safe under threads.

        rules = RuleBook("rules")
        found = rules.match("Is my document lost?")

    The folder is read when this is made (blocking: about a millisecond a file) and looked at again
    every two seconds while it is used, in a thread of its own, so that :meth:`match` never waits
    for a disk; who would rather wait than give what was taken back calls :meth:`refresh` first.
    While a file is wrong its last good version is served and ``report`` is called once. With an
    ``embedder`` questions are also found by their meaning. ``clock`` is in seconds.

    Raises :class:`~failsoft.errors.RuleFolderError` when there is no such folder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        embedder: Embedder | None = None,
        fallback_locale: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[RuleProblem], None] = _log,
    ) -> None:
        self._path = Path(folder)
        with extra("rules", "a folder of rules (rules_dir or RuleBook)"):
            from failsoft.ladder.rules.files import RuleFolder  # noqa: PLC0415 - an extra
        self._folder = RuleFolder(self._path)
        self._vocabulary = Vocabulary()
        self._embedder = embedder
        self._fallback_locale = fallback_locale
        self._clock = clock
        self._report = report
        self._reading = threading.Lock()
        in_every_child(self._forked)
        self._shelves = Shelves(vocabulary=self._vocabulary)
        self._stale = False
        self._away = False
        self._next_look = clock() + _LOOK_EVERY_SECONDS
        try:
            self._read()
        except OSError as error:
            problem = f"cannot be read ({error.strerror}); make it a folder of Markdown files"
            raise RuleFolderError(f"{folder}: {problem}") from error

    def match(self, question: str, *, locale: str = "en", route: str = "chat") -> RuleMatch | None:
        """The prepared answer to a question, ``None`` where none clearly fits.

        ``locale`` decides the language: ``de-AT`` is given rules for ``de-AT`` and ``de``; where
        none of them fits, those of ``fallback_locale``, if that is set.
        """
        if self._is_due():
            threading.Thread(target=self.reload, name="failsoft-rules", daemon=False).start()
        shelves = self._shelves
        for tag in (locale, self._fallback_locale):
            shelf = tag and shelves.shelf(tag)
            if shelf and (found := shelf.find(question, route)):
                return _match(found)
        return None

    def use(self, embedder: Embedder) -> None:
        """Find questions by their meaning too, from now on; blocking: it reads every example."""
        with self._reading:
            self._embedder = embedder
            self._shelves = self._arranged()

    async def refresh(self) -> None:
        """Look at the folder if that is due: what was taken back is not given once more.

        Waits a quarter of a second at most; a slower disk is read on in its thread.
        """
        if self._is_due():
            with suppress(TimeoutError):
                async with asyncio.timeout(_WAIT_SECONDS):
                    await asyncio.to_thread(self.reload)

    def reload(self) -> None:
        """Look at the folder now, and wait for it."""
        try:
            self._read()
        except OSError as error:
            self._report_away(f"cannot be read ({error.strerror})")
        except Exception:  # whatever it is, what was read before still serves
            _logger.exception("the rules in %s stay as they were", self._path)

    def _report_away(self, what: str) -> None:
        if not self._away:
            self._away = True
            remedy = "bring the folder back; its rules stay in force"
            self._report(RuleProblem(file=str(self._path), line=1, what=what, remedy=remedy))

    def _forked(self) -> None:
        self._reading = threading.Lock()

    def _is_due(self) -> bool:
        now = self._clock()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_EVERY_SECONDS
        return True

    def _read(self) -> None:
        with self._reading:
            changed, problems = self._folder.look()
            self._away = False
            self._stale = self._stale or changed
            for problem in problems:
                self._report(problem)
            if self._stale:
                self._shelves = self._arranged()
                self._stale = False

    def _arranged(self) -> Shelves:
        rules = self._folder.rules
        if self._embedder is not None:
            try:
                return Shelves(rules, vocabulary=self._vocabulary, embedder=self._embedder)
            except Exception:  # an extra that is missing, weights that are broken
                _logger.exception("rules are found by their words only")
                self._embedder = None
        return Shelves(rules, vocabulary=self._vocabulary)


def _match(found: Found) -> RuleMatch:
    rule = found.rule
    return RuleMatch(
        text=rule.text,
        link=rule.link,
        link_label=rule.link_label,
        action=rule.action,
        name=rule.name,
        score=found.score,
        how=found.how,
    )
