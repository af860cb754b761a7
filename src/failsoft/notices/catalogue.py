"""The catalogue of notices: bundled languages and, over them, a folder that may change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path

from failsoft.errors import NoticeFileError
from failsoft.notices.language import Language, read_languages
from failsoft.notices.layers import bundled_layers, read_layers
from failsoft.notices.negotiate import best_language, nearest
from failsoft.notices.notice import Notice

__all__ = ["Catalogue"]

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
        as it was and ``report`` is told once. Raises :class:`~failsoft.errors.NoticeFileError`
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

    def language(self, locale: str) -> Language:
        """The words for a locale: its own, its mother language's, or English."""
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
        """What to suggest beside that notice; ``links`` names the links the deployment has.

        What needs a link (``help``, ``status_page``, ``history``) is left out where there is none.
        """
        return self.language(locale).actions(key, seconds=seconds, links=links)

    def _current(self) -> Mapping[str, Language]:
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

    def _read(self) -> Mapping[str, Language]:
        overrides = read_layers(self._folder) if self._folder else {}
        return read_languages(bundled_layers(), overrides) if overrides else _bundled_languages()


@cache
def _bundled_languages() -> Mapping[str, Language]:
    return read_languages(bundled_layers(), {})


def _snapshot(folder: Path | None) -> _Snapshot | None:
    """What the folder's files look like from outside; ``None`` if it cannot be looked at."""
    try:
        found = [(file.name, file.stat()) for file in folder.glob("*.toml")] if folder else []
    except OSError:
        return None
    return frozenset((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
