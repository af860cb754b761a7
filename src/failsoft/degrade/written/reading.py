"""Reads a rule from its file, or says what is wrong with it."""

from __future__ import annotations

import difflib
import re

from failsoft.config.kinds import address
from failsoft.degrade.written.frontmatter import Document, MalformedError, read_document
from failsoft.degrade.written.rule import Problem, Rule

__all__ = ["KEYS", "MAX_BYTES", "read_rule"]

MAX_BYTES = 65_536
_MAX_TEXT_CHARS = 300

KEYS = ("questions", "keywords", "link", "link_label", "action", "locale", "routes")
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_PATH = re.compile(r"/(?![/\\])[^\s\\<>]*")
# Stricter than HTML itself: what a browser could take for a tag is never in an answer.
_TAG = re.compile(r"<[A-Za-z/!?]")
_MARKDOWN_LINK = re.compile(
    r"\]\(\s*(?P<inline>[^)\s]*)"
    r"|^[ \t>*+\d.)-]*\[[^\]\n]{1,999}\]:\s*(?P<apart>\S*)",
    re.MULTILINE,
)
_WEB_OR_MAIL = address(mail=True)
_ADDRESSES = "begin the address with https://, http://, mailto: or /"


def read_rule(content: bytes, *, name: str, file: str) -> Rule | Problem:
    """Read a file's content; ``file`` is what messages call it. Never raises."""
    try:
        return _rule(read_document(_decoded(content)), name)
    except MalformedError as error:
        return Problem(file=file, line=error.line, what=error.what, remedy=error.remedy)


def _decoded(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES // 1024} KB"
        raise MalformedError(1, what, "shorten it and link to the rest")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MalformedError(line, "is not UTF-8 text", "save the file as UTF-8") from error


def _rule(document: Document, name: str) -> Rule:
    _check_keys(document)
    _check_body(document)
    questions, keywords, routes = (
        document.values.get(key, ()) for key in ("questions", "keywords", "routes")
    )
    if not questions and not keywords:
        raise MalformedError(1, "has no questions", "add some as people would ask them")
    return Rule(
        name=name,
        text=document.body,
        questions=questions,
        keywords=keywords,
        link=_link(document),
        link_label=_single(document, "link_label"),
        action=_single(document, "action"),
        locale=_tag(document),
        routes=frozenset(entry.text for entry in routes) or None,
        lines={key: line for key, (_, line) in document.keys.items()}
        | {"text": document.body_line},
    )


def _check_keys(document: Document) -> None:
    for name, (_, line) in document.keys.items():
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, n=1)
            remedy = f"write {near[0]}" if near else f"use one of {', '.join(KEYS)}"
            raise MalformedError(line, f"has {name[:40]!r}, which no rule has", remedy)
    for text, line in (entry for values in document.values.values() for entry in values):
        if len(text) > _MAX_TEXT_CHARS:
            what = f"has a text of more than {_MAX_TEXT_CHARS} characters"
            raise MalformedError(line, what, "shorten it")
        if _TAG.search(text):
            raise MalformedError(line, "has HTML", "write it without the <")


def _check_body(document: Document) -> None:
    body, first = document.body, document.body_line
    if not body:
        raise MalformedError(first, "has no answer", "write it below the second line ---")
    if tag := _TAG.search(body):
        remedy = "use Markdown: **bold**, [text](address); or put a space after the <"
        raise MalformedError(first + body.count("\n", 0, tag.start()), "has HTML", remedy)
    for found in _MARKDOWN_LINK.finditer(body):
        target = found[found.lastgroup or 0]
        if not _leads_somewhere(target):
            line = first + body.count("\n", 0, found.start(found.lastgroup or 0))
            raise MalformedError(line, f"has a link to {target[:60]!r}", _ADDRESSES)


def _link(document: Document) -> str | None:
    link = _single(document, "link")
    if link is not None and not _leads_somewhere(link):
        line = document.keys["link"].line
        raise MalformedError(line, f"has a link to {link[:60]!r}", _ADDRESSES)
    if link is None and _single(document, "link_label") is not None:
        line = document.keys["link_label"].line
        raise MalformedError(line, "has a link_label and no link", "add the link or remove it")
    return link


def _leads_somewhere(target: str) -> bool:
    if _PATH.fullmatch(target):
        return True
    try:
        _WEB_OR_MAIL.check(target)
    except ValueError:
        return False
    return True


def _tag(document: Document) -> str:
    tag = _single(document, "locale") or "en"
    if not _LOCALE.fullmatch(tag):
        line = document.keys["locale"].line
        raise MalformedError(line, f"has the locale {tag[:40]!r}", "write it like en, de or es-MX")
    return tag.lower().replace("_", "-")


def _single(document: Document, name: str) -> str | None:
    values = document.values.get(name, ())
    if len(values) > 1:
        raise MalformedError(values[1].line, f"has more than one {name}", "keep one")
    return values[0].text if values else None
