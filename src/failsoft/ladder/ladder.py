"""What can be served when no model answers: a saved answer, else a written one."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.ladder.cache.cache import Hit, Partition, SemanticCache
from failsoft.ladder.embedder import Embedder
from failsoft.ladder.rules.rulebook import RuleBook, RuleMatch
from failsoft.storage.status import StoreStatus

__all__ = ["Asked", "LadderSteps", "Served", "helps_after"]

_log = logging.getLogger(__name__)

# What another's answer cannot mend: the question, our own set-up, or the request itself.
_OWN_NOTICE = (ErrorCategory.CONTENT_POLICY, ErrorCategory.AUTH_ERROR, ErrorCategory.PERMANENT)

# Of these categories, and yet outages: another model, or another host, would have answered.
_OUTAGES = ("connection_setup", "model_unavailable", "wrong_address")


def helps_after(verdict: Verdict) -> bool:
    """Whether a saved or a written answer can help after such a failure."""
    return verdict.category not in _OWN_NOTICE or verdict.reason in _OUTAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as the ladder sees it.

    ``worded`` is false where it is more than text (an image, a tool's result): it is then known
    again only as it was, and no rule is written for it.
    """

    question: str
    partition: Partition
    route: str
    locale: str
    tenant: str = ""
    user: str = ""
    worded: bool = True


class Served(NamedTuple):
    """A step's answer: ``age_seconds`` of a saved one, ``link`` and ``action`` of a written one.

    ``alike`` is a saved answer to the same question in other words.
    """

    level: Literal["cached", "rule"]
    text: str
    age_seconds: float | None = None
    link: str | None = None
    action: str | None = None
    alike: bool = False

    @classmethod
    def saved(cls, hit: Hit) -> Self:
        """What the cache has found."""
        return cls("cached", hit.response, hit.age_seconds, alike=not hit.exact)

    @classmethod
    def written(cls, rule: RuleMatch) -> Self:
        """What a rule answers."""
        return cls("rule", rule.text, None, rule.link, rule.action)


class LadderSteps:
    """The steps below a model's own answer. A step that breaks is logged, and the next is taken.

    ``embedder`` is for the rules; the cache has its own. Nothing is loaded before it is needed.
    """

    def __init__(
        self,
        *,
        cache: SemanticCache | None = None,
        rules: RuleBook | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.cache = cache
        self.rules = rules
        self._embedder = embedder
        self._started = False

    async def saved(self, asked: Asked) -> Served | None:
        """A saved answer to the same question."""
        if self.cache is None:
            return None
        self._start()
        try:
            hit = await self.cache.lookup(asked.partition, asked.question, locale=asked.locale)
        except Exception:  # noqa: BLE001 - whatever it is, the next step may help
            _log.exception("cache_failed")
            return None
        return None if hit is None else Served.saved(hit)

    async def written(self, asked: Asked) -> Served | None:
        """An answer that was written for such questions."""
        if self.rules is None or not asked.worded:
            return None
        self._start()
        try:
            await self.rules.refresh()
            rule = self.rules.match(asked.question, locale=asked.locale, route=asked.route)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("rules_failed")
            return None
        return None if rule is None else Served.written(rule)

    def keep(self, asked: Asked, text: str) -> None:
        """Save a complete answer of a model. Returns at once."""
        if self.cache is not None:
            self._start()
            self.cache.keep(
                asked.partition,
                asked.question,
                text,
                locale=asked.locale,
                tenant=asked.tenant,
                user=asked.user,
            )

    def stores(self) -> list[StoreStatus]:
        """Whether the files under it work; those that nothing has used yet are left out."""
        return [self.cache.status] if self.cache is not None and self._started else []

    def read_only(self) -> LadderSteps:
        """The same steps for callers whose answers are not to be saved; owns nothing."""
        return _Lent(self)

    async def aclose(self) -> None:
        """Write what is to be saved and let go of everything."""
        if self.cache is not None and self._started:
            await self.cache.aclose()

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        if self.cache is not None:
            self.cache.start()
        if self.rules is not None and self._embedder is not None:
            # Loading takes a second: until then rules are found by their words.
            # No daemon: a process that ends while native code is being loaded is aborted.
            threading.Thread(
                target=self.rules.use,
                args=(self._embedder,),
                name="failsoft-rules",
                daemon=False,
            ).start()


class _Lent(LadderSteps):
    """Another's ladder: what it is asked, the lender answers."""

    def __init__(self, lender: LadderSteps) -> None:
        super().__init__()
        self._lender = lender

    async def saved(self, asked: Asked) -> Served | None:
        """A saved answer of the lender's."""
        return await self._lender.saved(asked)

    async def written(self, asked: Asked) -> Served | None:
        """A written answer of the lender's."""
        return await self._lender.written(asked)
