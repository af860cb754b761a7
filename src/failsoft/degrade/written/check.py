"""What is wrong with a folder of rules, and what is worth a look: ``failsoft rules check``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from failsoft.degrade.written.folder import load_rule, rule_names
from failsoft.degrade.written.rule import Problem, Rule, remarks
from failsoft.degrade.written.shelves import Shelf, Shelves
from failsoft.degrade.written.vocabulary import Vocabulary

__all__ = ["check"]


def check(folder: Path) -> tuple[int, list[Problem]]:
    """How many files there are, and every problem of theirs by file and line. Raises OSError."""
    read = {folder / name: load_rule(folder, name) for name in rule_names(folder)}
    rules = {rule.name: (path, rule) for path, rule in read.items() if isinstance(rule, Rule)}
    shelves = Shelves((rule for _, rule in rules.values()), vocabulary=Vocabulary())
    problems = [found for found in read.values() if isinstance(found, Problem)]
    for path, rule in rules.values():
        problems += remarks(rule, str(path))
        if shelf := shelves.shelf(rule.locale):
            problems += _overlaps(rule, shelf, str(path))
    return len(read), sorted(problems, key=lambda problem: (problem.file, problem.line))


def _overlaps(rule: Rule, shelf: Shelf, file: str) -> Iterator[Problem]:
    for text, line in rule.questions:
        if found := _told(rule, shelf.claimants(text)):
            yield Problem(
                file=file,
                line=line,
                what=f"has a question that is also in {found}",
                remedy="leave it in one of them",
            )
        elif found := _told(rule, _close(rule, shelf, text)):
            yield Problem(
                file=file,
                line=line,
                what=f"has a question that fits {found} too, so that one like it gets no answer",
                remedy="say in more of its words what it is about",
                warning=True,
            )


def _close(rule: Rule, shelf: Shelf, text: str) -> list[Rule]:
    route = min(rule.routes or ("chat",))
    return [close.rule for close in shelf.closest(text, route)]


def _told(rule: Rule, found: list[Rule]) -> str:
    """The names of other rules for the same people."""
    return ", ".join(sorted({each.name for each in found if _compete(rule, each)}))


def _compete(rule: Rule, other: Rule) -> bool:
    if rule.name == other.name or rule.locale != other.locale:
        return False
    return rule.routes is None or other.routes is None or bool(rule.routes & other.routes)
