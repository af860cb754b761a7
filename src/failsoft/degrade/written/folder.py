"""A folder of rules that people change while it is in use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from failsoft.degrade.written.rule import Problem, Rule

__all__ = ["RuleFolder", "load_rule", "rule_names"]

_Looks = tuple[int, int]
_SUFFIX = ".md"


@dataclass(frozen=True, slots=True)
class _File:
    """How a file looked when a rule was read from it, the last rule, and what is wrong now."""

    looks: _Looks | None
    rule: Rule | None
    problem: Problem | None


class RuleFolder:
    """The rules of a folder as they are in force. Not safe under threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    @property
    def rules(self) -> list[Rule]:
        """The last good version of every file that is there."""
        return [file.rule for file in self._files.values() if file.rule]

    def look(self) -> tuple[bool, list[Problem]]:
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


def load_rule(folder: Path, name: str) -> Rule | Problem:
    """Read one file of a folder."""
    # Only who has rules waits for the reader of YAML.
    from failsoft.degrade.written.reading import MAX_BYTES, read_rule  # noqa: PLC0415

    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        return Problem(file=str(path), line=1, what=what, remedy="check that it may be read")
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
