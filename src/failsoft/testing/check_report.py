"""What a check found, as a table and as a list of what to mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["COLUMNS", "Finding", "Report", "ReportRow"]

COLUMNS = ("notice", "retried", "level", "metrics")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that did not hold, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One case. ``cells`` are by column: findings, or ``None`` for what could not be seen."""

    name: str
    cells: dict[str, list[Finding] | None]
    calls: int
    seconds: float

    @property
    def words(self) -> list[str]:
        """Its line of the table."""
        cells = (_word(self.cells[column]) for column in COLUMNS)
        return [self.name, *cells, str(self.calls), f"{self.seconds:.1f}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Every case, and what holds over several requests (``ladder``). As text it is the table."""

    rows: tuple[ReportRow, ...]
    ladder: dict[str, list[Finding] | None]

    @property
    def findings(self) -> list[Finding]:
        """Everything that did not hold, in the table's order."""
        cells = [cell for row in self.rows for cell in row.cells.values()]
        return [finding for cell in (*cells, *self.ladder.values()) for finding in cell or ()]

    def __str__(self) -> str:
        head = ["case", *COLUMNS, "calls", "seconds"]
        lines = [row.words for row in self.rows]
        over = [[name, _word(cell)] for name, cell in self.ladder.items()]
        return f"{_aligned([head, *lines])}\n\n{_aligned(over)}\n(- cannot be seen from outside)"


def _word(cell: list[Finding] | None) -> str:
    if cell is None:
        return "-"
    return "NO" if cell else "ok"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
