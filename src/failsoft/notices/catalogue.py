"""The catalogue of notices: picks the language and the text for a failure.

Bundled languages come first and a folder that may change lies over them. The language follows the
``Accept-Language`` header (RFC 9110) by lookup (RFC 4647).
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.errors import NoticeFileError
from failsoft.notices.locale_file import LocaleFile, bundled_layers, read_languages, read_layers
from failsoft.notices.notice import Notice

__all__ = ["Catalogue", "best_language", "nearest", "notice_for", "suggested_actions"]


# Real headers are a few dozen characters, real tags a dozen; what is longer is not read to its end.
_MAX_CHARS = 1000
_MAX_TAG_CHARS = 64
_RANGE = re.compile(
    r"(?P<tag>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)"
    r"(?:[ \t]*;[ \t]*q=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)


def nearest(tag: str, available: Collection[str]) -> str | None:
    """The language itself, or the one left when regions are dropped: es-MX → es."""
    subtags = tag[:_MAX_TAG_CHARS].lower().replace("_", "-").split("-")
    shorter = ("-".join(subtags[:n]) for n in range(len(subtags), 0, -1))
    return next((each for each in shorter if each in available), None)


def best_language(header: str, available: Collection[str]) -> str | None:
    """The available language that the header likes best, ``None`` if it names none.

    Anything but a language range is skipped; ``*`` names none; nothing a header says raises.
    """
    wanted = sorted(_ranges(header), key=lambda each: -each[1])
    refused = {tag for tag, quality in wanted if quality == 0}
    found = (nearest(tag, available) for tag, quality in wanted if quality > 0)
    return next((each for each in found if each and each not in refused), None)


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    parts = header[:_MAX_CHARS].lower().split(",")
    for part in parts if len(header) <= _MAX_CHARS else parts[:-1]:
        match = _RANGE.fullmatch(part.strip(" \t"))
        if match:
            yield match["tag"], float(match["q"] or 1)


_CHECK_EVERY_SECONDS = 1.0

_Snapshot = frozenset[tuple[str, int, int]]


def _log(error: NoticeFileError) -> None:
    logging.getLogger(__name__).warning("notices stay as they were: %s", error)


class Catalogue:
    """Every notice in every language. Made by :meth:`load`; safe under threads.

    >>> catalogue = Catalogue.load()
    >>> catalogue.notice("transient.given_up", seconds=119.2).retry_countdown_seconds
    120
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        clock: Callable[[], float],
        report: Callable[[NoticeFileError], None],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._report = report
        self._seen = _snapshot(folder)
        self._languages = self._read()
        self._next_check = clock() + _CHECK_EVERY_SECONDS
        self._checking = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[NoticeFileError], None] = _log,
    ) -> Catalogue:
        """Read the bundled languages and, over them, the ``<locale>.toml`` files of ``folder``.

        A file of the folder need only hold the keys it changes. The folder is looked at again at
        most once a second (``clock``, in seconds); while a file in it is wrong, everything stays
        as it was and ``report`` is called once. Raises :class:`~failsoft.errors.NoticeFileError`
        when a file is wrong now.
        """
        return cls(Path(folder) if folder else None, clock=clock, report=report)

    @property
    def locales(self) -> tuple[str, ...]:
        """The languages there are, as tags in lower case."""
        return tuple(sorted(self._current()))

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of every notice, in the order they are written."""
        return tuple(self._current()["en"].entries)

    def choose(self, accept_language: str | None, default: str = "en") -> str:
        """The best language for an ``Accept-Language`` header; ``default`` if it names none."""
        languages = self._current()
        return best_language(accept_language or "", languages) or self.language(default).tag

    def language(self, locale: str) -> LocaleFile:
        """The texts for a locale: its own, its mother language's, or English."""
        languages = self._current()
        return languages[nearest(locale, languages) or "en"]

    def notice(
        self,
        key: str,
        *,
        reference: str = "",
        locale: str = "en",
        seconds: float | None = None,
        age_seconds: float | None = None,
    ) -> Notice:
        """The notice of that key, such as ``transient.given_up`` or ``cached``.

        ``seconds`` is the true wait; without it the notice's own countdown is used. A notice
        without a countdown never gets one. ``age_seconds`` is how old a saved answer is. Raises
        KeyError for a key that is not among :attr:`keys`.
        """
        words = self.language(locale)
        return words.notice(key, reference=reference, seconds=seconds, age_seconds=age_seconds)

    def actions(
        self,
        key: str,
        *,
        locale: str = "en",
        seconds: float | None = None,
        links: Collection[str] = (),
    ) -> tuple[str, ...]:
        """What to suggest with that notice; ``links`` names the links the deployment has.

        What needs a link (``help``, ``status_page``, ``history``) is left out where there is none.
        """
        return self.language(locale).actions(key, seconds=seconds, links=links)

    def _current(self) -> Mapping[str, LocaleFile]:
        if self._folder and self._clock() >= self._next_check:
            self._look_again()
        return self._languages

    def _look_again(self) -> None:
        if not self._checking.acquire(blocking=False):
            return
        try:
            self._next_check = self._clock() + _CHECK_EVERY_SECONDS
            found = _snapshot(self._folder)
            if found != self._seen:
                self._seen = found
                self._languages = self._read()
        except NoticeFileError as error:
            self._report(error)
        finally:
            self._checking.release()

    def _read(self) -> Mapping[str, LocaleFile]:
        overrides = read_layers(self._folder) if self._folder else {}
        return read_languages(bundled_layers(), overrides) if overrides else _bundled_languages()


@cache
def _bundled_languages() -> Mapping[str, LocaleFile]:
    return read_languages(bundled_layers(), {})


def _snapshot(folder: Path | None) -> _Snapshot | None:
    """What the folder's files look like from outside; ``None`` if it cannot be looked at."""
    try:
        found = [(file.name, file.stat()) for file in folder.glob("*.toml")] if folder else []
    except OSError:
        return None
    return frozenset((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


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
