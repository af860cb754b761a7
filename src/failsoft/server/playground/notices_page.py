"""``GET /playground/notices``: for writers, every notice in every language with what is wrong.

Every text is escaped by :class:`Html`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from failsoft.engine.client import Failsoft
from failsoft.errors import NoticeFileError
from failsoft.notices import Catalogue, direction
from failsoft.notices.catalogue import nearest
from failsoft.notices.checks import NoticeProblem, check
from failsoft.notices.review import facts, sample

__all__ = ["Html", "NoticesPage", "element"]


class Html(str):
    """Markup that :func:`element` made; every other ``str`` is text."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """One element. Children that are no :class:`Html` are escaped, and so is every attribute.

    ``class_`` is the attribute ``class``; an attribute that is empty is left out.
    """
    inside = "".join(each if isinstance(each, Html) else escape(each) for each in children)
    told = "".join(
        f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items() if value
    )
    return Html(f"<{tag}{told}>{inside}</{tag}>")


_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# The style's address is relative: the page may be mounted under another path.
_HEAD: Final = Html(
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>Notices</title>'
    '<link rel="icon" href="data:,"><link rel="stylesheet" href="../web/playground/notices.css">'
)
# Every unit, and every plural form of the languages that ship.
_WAITS: Final = (0, 1, 2, 5, 11, 100, 60, 120, 300, 3600, 7200, 10_800, 86_400, 172_800, 259_200)
_AGES: Final = (None, 5, 60, 3600, 10_800, 172_800)


class NoticesPage:
    """Reads the notices of ``ai``'s settings at every visit, so that a change is seen."""

    def __init__(self, ai: Failsoft) -> None:
        self._ai = ai

    async def show(self, request: Request, _request_id: str) -> Response:
        """The page; ``?locale=de`` shows one language. It has no script."""
        wanted = request.query_params.get("locale", "")
        # A thread: reading files and, the first time, the word list of the reading grade.
        sheet = await asyncio.to_thread(self._sheet, wanted)
        headers = {"content-security-policy": _POLICY, "cache-control": "no-store"}
        return HTMLResponse(_document(sheet), sheet.status, headers)

    def _sheet(self, wanted: str) -> _Sheet:
        try:
            catalogue, broken = Catalogue.load(self._ai.settings.notices_dir), ""
        except NoticeFileError as error:
            catalogue, broken = self._ai.notices, str(error)
        problems: defaultdict[tuple[str, str], list[NoticeProblem]] = defaultdict(list)
        for problem in check(catalogue):
            key = problem.key if problem.key in catalogue.keys else ""
            problems[problem.locale, key].append(problem)
        return _Sheet(catalogue=catalogue, broken=broken, wanted=wanted, problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """What one visit shows. ``problems`` are by locale and notice; "" is of no single notice."""

    catalogue: Catalogue
    broken: str
    wanted: str
    problems: Mapping[tuple[str, str], Sequence[NoticeProblem]]

    @property
    def locales(self) -> tuple[str, ...]:
        if not self.wanted:
            return self.catalogue.locales
        found = nearest(self.wanted, self.catalogue.locales)
        return (found,) if found else ()

    @property
    def status(self) -> int:
        return 200 if self.locales else 404

    def wrong(self, locale: str) -> int:
        found = (
            each for (tag, _), listed in self.problems.items() if tag == locale for each in listed
        )
        return sum(not problem.skipped for problem in found)


def _document(sheet: _Sheet) -> str:
    body = element("body", _header(sheet), element("main", *_sections(sheet)))
    return "<!doctype html>\n" + element("html", element("head", _HEAD), body, lang="en")


def _header(sheet: _Sheet) -> Html:
    about = element(
        "p",
        "Every notice as a person reads it, with what ",
        element("code", "failsoft notices check"),
        " says of it. Whether a native speaker has read it aloud no page can tell; the sheet for "
        "that is printed by ",
        element("code", "failsoft notices review --locale ja"),
        ".",
    )
    parts = [element("h1", "Notices"), about, _languages(sheet)]
    if sheet.broken:
        told = f"A file cannot be read, so these are the words before its change. {sheet.broken}"
        parts.append(element("p", told, class_="wrong", role="alert"))
    if not sheet.locales:
        parts.append(element("p", f"There are no notices in “{sheet.wanted}”.", class_="wrong"))
    return element("header", *parts)


def _languages(sheet: _Sheet) -> Html:
    links = [_link("?", "All languages", current=not sheet.wanted)]
    for tag in sheet.catalogue.locales:
        name, wrong = sheet.catalogue.language(tag).name, sheet.wrong(tag)
        label = [element("bdi", name, lang=tag)]
        if wrong:
            label.append(element("small", f" {wrong} wrong"))
        current = bool(sheet.wanted) and sheet.locales == (tag,)
        links.append(_link(f"?locale={tag}", *label, current=current))
    return element("nav", *links, aria_label="Languages")


def _link(href: str, *label: str, current: bool) -> Html:
    return element("a", *label, href=href, **{"aria-current": "page" if current else ""})


def _sections(sheet: _Sheet) -> Iterable[Html]:
    if not sheet.locales:
        return
    keys = sheet.catalogue.keys
    links = (element("li", element("a", key, href=f"#{key}")) for key in keys)
    yield element("details", element("summary", f"All {len(keys)} notices"), element("ul", *links))
    yield _section("Waits and ages", "", [_words(sheet, tag) for tag in sheet.locales])
    for key in keys:
        yield _section(key, key, [_card(sheet, key, tag) for tag in sheet.locales])


def _section(title: str, name: str, cards: Sequence[Html]) -> Html:
    grid = element("div", *cards, class_="cards")
    return element("section", element("h2", title), grid, id=name)


def _card(sheet: _Sheet, key: str, locale: str) -> Html:
    notice, actions = sample(sheet.catalogue, key, locale)
    text = [
        element("h3", notice.title),
        element("p", notice.body),
        element("p", element("span", notice.primary_action_label, class_="button")),
    ]
    if actions:
        text.append(element("ul", *(element("li", action) for action in actions)))
    said = element("div", *text, lang=locale, dir=direction(locale))
    found = sheet.problems.get((locale, key), ())
    about = element("p", _name(sheet, locale), Html(" "), facts(notice), class_="about")
    return element("article", about, said, _results(found, key), class_=notice.severity)


def _words(sheet: _Sheet, locale: str) -> Html:
    words = sheet.catalogue.language(locale).durations
    said = element(
        "div",
        element("p", *_listed([words.wait(each) for each in _WAITS])),
        element("p", *_listed([words.age(each) for each in _AGES])),
        lang=locale,
        dir=direction(locale),
    )
    about = element("p", _name(sheet, locale), class_="about")
    return element("article", about, said, _results(sheet.problems.get((locale, ""), ()), ""))


def _listed(texts: Sequence[str]) -> Iterable[Html]:
    return (element("span", text, class_="word") for text in texts)


def _name(sheet: _Sheet, locale: str) -> Html:
    return element("b", element("bdi", sheet.catalogue.language(locale).name, lang=locale))


def _results(problems: Sequence[NoticeProblem], key: str) -> Html:
    if not problems:
        return element("p", "Nothing wrong", class_="fine")
    items = [element("li", f"{_place(each, key)}: {each.what}; {each.remedy}") for each in problems]
    skipped = all(each.skipped for each in problems)
    return element("ul", *items, class_="skipped" if skipped else "wrong")


def _place(problem: NoticeProblem, key: str) -> str:
    beside = problem.key in ("", key)
    return problem.field if beside else f"{problem.key}.{problem.field}"
