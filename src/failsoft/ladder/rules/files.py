"""Reads rules from a folder of Markdown files that people change while it is in use.

The head of a file is read with errors for people who do not write YAML. :func:`check` lists what is
wrong with a folder and what is worth a look: ``failsoft rules check``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from failsoft.config.fields import address
from failsoft.ladder.rules.index import RuleIndex, Shelves
from failsoft.ladder.rules.rule import Rule, RuleEntry, RuleProblem, remarks
from failsoft.ladder.rules.vocabulary import Vocabulary

__all__ = [
    "KEYS",
    "MAX_BYTES",
    "Document",
    "MalformedError",
    "RuleFolder",
    "check",
    "load_rule",
    "read_document",
    "read_rule",
    "rule_names",
]


_FENCE = "---"
_MAX_HEAD_CHARS = 16_384
# A head is keys, lists and texts. What nests deeper is a slip, or meant to take the reader down.
_MAX_DEPTH = 4
_MAX_TOLD = 60

_SPECIAL = "begins with a character that means something else here"
_QUOTE = "put the whole text in double quotes"
# What YAML says to a programmer, and what it means to a writer.
_MEANT = (
    ("'\\t'", "has a tab", "use spaces in its place"),
    ("mapping values", "has a colon inside a text", _QUOTE),
    ("cannot start any token", _SPECIAL, _QUOTE),
    ("alphabetic or numeric", _SPECIAL, _QUOTE),
    ("unexpected end of stream", "opens a quote that nothing closes", "close it or take it out"),
    ("<scalar>", "goes on after the closing quote", _QUOTE),
    ("could not find expected ':'", "is not a key, a colon and a text", "correct or indent it"),
)


class MalformedError(Exception):
    """A problem: in which line of the file, and what to do."""

    def __init__(self, line: int, what: str, remedy: str) -> None:
        super().__init__(line, what, remedy)
        self.line = line
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file taken apart: every value of its head is text, as it was written."""

    keys: dict[str, RuleEntry]
    values: dict[str, tuple[RuleEntry, ...]]
    body: str
    body_line: int


def read_document(text: str) -> Document:
    """Take a file apart into its head, between two lines of ``---``, and the body below it.

    A single text counts as a list of one. No value is turned into anything: ``no`` and ``007`` stay
    texts. Raises :class:`MalformedError`, and nothing else.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise MalformedError(1, "does not begin with a line ---", "put one above the questions")
    fences = (number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE)
    end = next(fences, None)
    if end is None:
        raise MalformedError(1, "has no second line ---", "put one between head and answer")
    keys, values = _read_head(lines[1:end])
    body = lines[end + 1 :]
    above = next((n for n, line in enumerate(body) if line.strip()), 0)
    return Document(
        keys=keys, values=values, body="\n".join(body).strip(), body_line=end + above + 2
    )


def _read_head(lines: list[str]) -> tuple[dict[str, RuleEntry], dict[str, tuple[RuleEntry, ...]]]:
    root = _compose("\n".join(lines))
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise MalformedError(_line(root), "is not a key, a colon and a text", "correct it")
    keys: dict[str, RuleEntry] = {}
    values: dict[str, tuple[RuleEntry, ...]] = {}
    for key, value in root.value:
        entry = _entry(key, lines)
        if entry.text in keys:
            raise MalformedError(entry.line, f"has {entry.text} again", "make the two one")
        keys[entry.text] = entry
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        read = (_entry(item, lines) for item in items)
        values[entry.text] = tuple(each for each in read if each.text)
    return keys, values


def _entry(node: yaml.Node, lines: list[str]) -> RuleEntry:
    if not isinstance(node, yaml.ScalarNode):
        raise MalformedError(_line(node), "has a colon or a bracket inside a text", _QUOTE)
    if node.style is None and _loses_words(node, lines):
        remedy = f"{_QUOTE}, or take the # out"
        raise MalformedError(_line(node), "would lose what is after the #", remedy)
    return RuleEntry(" ".join(node.value.split()), _line(node))


def _loses_words(node: yaml.Node, lines: list[str]) -> bool:
    """An unquoted ``form #5`` is ``form`` to YAML."""
    end = node.end_mark
    rest = lines[end.line][end.column :] if end.line < len(lines) else ""
    return bool(node.value) and rest.lstrip().startswith("#")


def _compose(head: str) -> yaml.Node | None:
    if len(head) > _MAX_HEAD_CHARS:
        what = f"has a head of more than {_MAX_HEAD_CHARS:,} characters"
        raise MalformedError(2, what, "make two rules of it")
    try:
        node: yaml.Node | None = yaml.compose(head, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _meant(error) from error
    except yaml.reader.ReaderError as error:
        line = head.count("\n", 0, error.position) + 2
        raise MalformedError(line, "has an invisible character", "type the line anew") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MalformedError(2, "is not a list of keys and texts", "correct it") from error
    return node


def _meant(error: yaml.MarkedYAMLError) -> MalformedError:
    mark = error.problem_mark or error.context_mark
    line = 2 if mark is None else mark.line + 2
    said = f"{error.problem}"
    for sign, what, remedy in _MEANT:
        if sign in said:
            return MalformedError(line, what, remedy)
    return MalformedError(line, f"cannot be read: {said[:_MAX_TOLD]}", _QUOTE)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 2  # marks count from 0, and the first line is the fence


class _Loader(yaml.SafeLoader):
    """Gives nodes, never objects, and refuses what could grow or hide."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # so in its stubs
        marked = isinstance(event, yaml.AliasEvent) or event.anchor or event.tag
        if marked or self._depth == _MAX_DEPTH:
            problem = "cannot start any token" if marked else "mapping values"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


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


def read_rule(content: bytes, *, name: str, file: str) -> Rule | RuleProblem:
    """Read a file's content; ``file`` is what messages call it. Never raises."""
    try:
        return _rule(read_document(_decoded(content)), name)
    except MalformedError as error:
        return RuleProblem(file=file, line=error.line, what=error.what, remedy=error.remedy)


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


_Looks = tuple[int, int]
_SUFFIX = ".md"


@dataclass(frozen=True, slots=True)
class _File:
    """How a file looked when a rule was read from it, the last rule, and what is wrong now."""

    looks: _Looks | None
    rule: Rule | None
    problem: RuleProblem | None


class RuleFolder:
    """The rules of a folder as they are in force. Not safe under threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    @property
    def rules(self) -> list[Rule]:
        """The last good version of every file that is there."""
        return [file.rule for file in self._files.values() if file.rule]

    def look(self) -> tuple[bool, list[RuleProblem]]:
        """Read what has changed: whether anything has, and what is newly wrong.

        While a file is wrong its last good version stays. Raises OSError when the folder cannot be
        read; then everything stays.
        """
        before = self._files
        names = list(rule_names(self._folder))
        self._files = {name: self._file(name, before.get(name)) for name in names}
        problems = [
            file.problem
            for name, file in self._files.items()
            if file.problem and file.problem != getattr(before.get(name), "problem", None)
        ]
        return self._files != before, problems

    def _file(self, name: str, before: _File | None) -> _File:
        looks = _looks(self._folder / name)
        if before and looks and before.looks == looks:
            return before
        found = load_rule(self._folder, name)
        if isinstance(found, Rule):
            return _File(looks, found, None)
        return _File(None, before.rule if before else None, found)


def load_rule(folder: Path, name: str) -> Rule | RuleProblem:
    """Read one file of a folder."""
    # Only who has rules waits for the reader of YAML.

    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        return RuleProblem(file=str(path), line=1, what=what, remedy="check that it may be read")
    return read_rule(content, name=name.removesuffix(_SUFFIX), file=str(path))


def rule_names(folder: Path) -> Iterator[str]:
    """The files that hold rules, by their path inside the folder, in order.

    Left out are README.md and what begins with ``.`` or ``_``, folders too. Raises OSError.
    """
    for path in sorted(folder.iterdir()):
        if path.name[0] in "._":
            continue
        if path.is_dir():
            yield from (f"{path.name}/{name}" for name in rule_names(path))
        elif path.suffix.lower() == _SUFFIX and path.name.lower() != "readme.md":
            yield path.name


def _looks(path: Path) -> _Looks | None:
    """What changes with a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def check(folder: Path) -> tuple[int, list[RuleProblem]]:
    """How many files there are, and every problem of theirs by file and line. Raises OSError."""
    read = {folder / name: load_rule(folder, name) for name in rule_names(folder)}
    rules = {rule.name: (path, rule) for path, rule in read.items() if isinstance(rule, Rule)}
    shelves = Shelves((rule for _, rule in rules.values()), vocabulary=Vocabulary())
    problems = [found for found in read.values() if isinstance(found, RuleProblem)]
    for path, rule in rules.values():
        problems += remarks(rule, str(path))
        if shelf := shelves.shelf(rule.locale):
            problems += _overlaps(rule, shelf, str(path))
    return len(read), sorted(problems, key=lambda problem: (problem.file, problem.line))


def _overlaps(rule: Rule, shelf: RuleIndex, file: str) -> Iterator[RuleProblem]:
    for text, line in rule.questions:
        if found := _told(rule, shelf.claimants(text)):
            yield RuleProblem(
                file=file,
                line=line,
                what=f"has a question that is also in {found}",
                remedy="leave it in one of them",
            )
        elif found := _told(rule, _close(rule, shelf, text)):
            yield RuleProblem(
                file=file,
                line=line,
                what=f"has a question that fits {found} too, so that one like it gets no answer",
                remedy="say in more of its words what it is about",
                warning=True,
            )


def _close(rule: Rule, shelf: RuleIndex, text: str) -> list[Rule]:
    route = min(rule.routes or ("chat",))
    return [close.rule for close in shelf.closest(text, route)]


def _told(rule: Rule, found: list[Rule]) -> str:
    """The names of other rules for the same people."""
    return ", ".join(sorted({each.name for each in found if _compete(rule, each)}))


def _compete(rule: Rule, other: Rule) -> bool:
    if rule.name == other.name or rule.locale != other.locale:
        return False
    return rule.routes is None or other.routes is None or bool(rule.routes & other.routes)
