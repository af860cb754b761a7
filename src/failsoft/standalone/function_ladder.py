"""What a person is given when no answer came: a saved one, a prepared one, or a message."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self, overload

from failsoft.classify import classify, verdict_for
from failsoft.classify.verdict import Verdict
from failsoft.engine.answer import Answer
from failsoft.engine.answers import Voice, build_answer, speech_of_failure, speech_of_step
from failsoft.engine.request import share_of_wait
from failsoft.errors import AIError, CircuitOpenError
from failsoft.ladder.cache.cache import OWN, SemanticCache
from failsoft.ladder.ladder import Served, helps_after
from failsoft.ladder.rules.rulebook import RuleBook
from failsoft.notices import Catalogue
from failsoft.standalone.functions import is_async, refuse_generators

__all__ = ["Ladder"]

_log = logging.getLogger(__name__)


class Ladder:
    """The steps below an answer of one's own: a saved answer, a prepared one, a message.

        with Ladder(cache="answers.db", rules="rules") as ladder:
            answer = ladder.call(ask_model, "How do I reset my password?")
            print(answer.text or answer.notice.body)

    ``cache`` and ``rules`` are a file and a folder, or a :class:`~failsoft.SemanticCache` and a
    :class:`~failsoft.RuleBook` made before; a step that is not given is not there. ``notices`` are
    the words, the bundled ones by default, ``locale`` their language, ``links`` the names of the
    links you show with them (``help``, ``status_page``, ``history``, ``support``). ``provider``
    is the vocabulary in which failures are read.

    The saved answers are one common stock: keep no answer in it that is one person's own. Closing
    it closes a cache that it made.
    """

    def __init__(
        self,
        *,
        cache: SemanticCache | str | Path | None = None,
        rules: RuleBook | str | Path | None = None,
        notices: Catalogue | None = None,
        locale: str = "en",
        links: Collection[str] = (),
        provider: str = "http",
        rng: Random | None = None,
    ) -> None:
        self._own_cache = isinstance(cache, str | Path)
        self._cache = SemanticCache(Path(cache)) if isinstance(cache, str | Path) else cache
        self._rules = RuleBook(rules) if isinstance(rules, str | Path) else rules
        self._notices = notices or Catalogue.load()
        self._locale = locale
        self._links = tuple(links)
        self._provider = provider
        self._rng = rng or SystemRandom()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is to be saved; blocking. May be called more than once."""
        if self._cache is not None and self._own_cache:
            self._cache.close()

    def remember(self, question: str, response: str, *, locale: str | None = None) -> None:
        """Save a whole answer for when none can be had. Returns at once."""
        if self._cache is not None:
            self._cache.start()
            self._cache.keep(OWN, question, response, locale=locale or self._locale)

    def serve(
        self,
        question: str,
        failure: BaseException | Verdict | None = None,
        *,
        locale: str | None = None,
        reference: str = "",
    ) -> Answer:
        """What to give the caller, after ``failure``; blocking, raises for no fault of a step.

        A refusal, an account that is not set up and a request that can never succeed have their
        own message at once: another person's answer mends none of them. ``reference`` is what the
        person can tell support.
        """
        verdict, back_in = self._read(failure)
        locale = locale or self._locale
        voice = Voice(
            catalogue=self._notices, locale=locale, reference=reference, links=self._links
        )
        if back_in is not None:
            back_in += share_of_wait(self._rng)
        served = self._served(question, locale) if helps_after(verdict) else None
        if served is None:
            asked = failure is not None and not isinstance(failure, CircuitOpenError)
            speech = speech_of_failure(verdict, voice, back_in, asked=asked)
            return build_answer(
                reference, speech=speech, failed_as=verdict.category, verdict=verdict
            )
        speech = speech_of_step(served, voice, back_in)
        return build_answer(
            reference, finish="complete", speech=speech, served=served, verdict=verdict
        )

    @overload
    def call(
        self, fn: Callable[[str], Coroutine[Any, Any, str]], question: str, *, locale: str = ...
    ) -> Coroutine[Any, Any, Answer]: ...

    @overload
    def call(self, fn: Callable[[str], str], question: str, *, locale: str = ...) -> Answer: ...

    def call(self, fn: Callable[[str], Any], question: str, *, locale: str | None = None) -> Any:
        """``fn(question)``, a text, which is saved; or what is served where that raises.

        To be awaited where ``fn`` is. Cancellations, and what is no ``Exception``, pass through.
        """
        refuse_generators("Ladder", fn)
        if is_async(fn):
            return self._later(fn, question, locale)
        try:
            text = fn(question)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is something to say
            return self._after(error, question, locale)
        if inspect.iscoroutine(text):
            return self._later(lambda _: text, question, locale)
        return self._full(question, text, locale)

    async def _later(self, fn: Callable[[str], Any], question: str, locale: str | None) -> Answer:
        try:
            text = await fn(question)
        except Exception as error:  # noqa: BLE001 - as above
            return await asyncio.to_thread(self._after, error, question, locale)
        return self._full(question, text, locale)

    def _full(self, question: str, text: Any, locale: str | None) -> Answer:
        if not isinstance(text, str):
            raise TypeError(f"Ladder: the function must return the answer's text, not {text!r:.80}")
        if text.strip():
            self.remember(question, text, locale=locale)
        return build_answer("", text=text, finish="complete")

    def _after(self, error: Exception, question: str, locale: str | None) -> Answer:
        if classify(error, provider=self._provider, now=time.time()).reason == "cancelled":
            raise error
        return self.serve(question, error, locale=locale)

    def _read(self, failure: BaseException | Verdict | None) -> tuple[Verdict, float | None]:
        """What it was, and when it may be over."""
        if failure is None:
            return verdict_for("unavailable"), None
        if isinstance(failure, Verdict):
            return failure, failure.wait_seconds
        verdict = classify(failure, provider=self._provider, now=time.time())
        if isinstance(failure, AIError):
            return verdict, failure.retry_after
        return verdict, verdict.wait_seconds

    def _served(self, question: str, locale: str) -> Served | None:
        return self._saved(question, locale) or self._written(question, locale)

    def _saved(self, question: str, locale: str) -> Served | None:
        if self._cache is None:
            return None
        try:
            hit = self._cache.find_similar(question, locale=locale)
        except Exception:  # noqa: BLE001 - whatever it is, the next step may help
            _log.exception("cache_failed")
            return None
        return None if hit is None else Served.saved(hit)

    def _written(self, question: str, locale: str) -> Served | None:
        if self._rules is None:
            return None
        try:
            rule = self._rules.match(question, locale=locale)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("rules_failed")
            return None
        return None if rule is None else Served.written(rule)
