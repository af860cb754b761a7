"""The head of a Markdown file, read with errors for people who do not write YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from failsoft.degrade.written.rule import Entry

__all__ = ["Document", "MalformedError", "read_document"]

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
    """What is wrong, in which line of the file, and what to do."""

    def __init__(self, line: int, what: str, remedy: str) -> None:
        super().__init__(line, what, remedy)
        self.line = line
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file taken apart: every value of its head is text, as it was written."""

    keys: dict[str, Entry]
    values: dict[str, tuple[Entry, ...]]
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


def _read_head(lines: list[str]) -> tuple[dict[str, Entry], dict[str, tuple[Entry, ...]]]:
    root = _compose("\n".join(lines))
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise MalformedError(_line(root), "is not a key, a colon and a text", "correct it")
    keys: dict[str, Entry] = {}
    values: dict[str, tuple[Entry, ...]] = {}
    for key, value in root.value:
        entry = _entry(key, lines)
        if entry.text in keys:
            raise MalformedError(entry.line, f"has {entry.text} again", "make the two one")
        keys[entry.text] = entry
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        read = (_entry(item, lines) for item in items)
        values[entry.text] = tuple(each for each in read if each.text)
    return keys, values


def _entry(node: yaml.Node, lines: list[str]) -> Entry:
    if not isinstance(node, yaml.ScalarNode):
        raise MalformedError(_line(node), "has a colon or a bracket inside a text", _QUOTE)
    if node.style is None and _loses_words(node, lines):
        remedy = f"{_QUOTE}, or take the # out"
        raise MalformedError(_line(node), "would lose what is after the #", remedy)
    return Entry(" ".join(node.value.split()), _line(node))


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
