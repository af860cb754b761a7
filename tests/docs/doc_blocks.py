"""The blocks of code in the pages, and what is said of each above it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_THE_REPOSITORY = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES = [*OF_THE_REPOSITORY, *sorted((ROOT / "docs").rglob("*.md"))]

# What is shown, and not told to anybody.
SHOWN = {"", "text", "mermaid", "markdown", "html", "css", "pycon"}
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>not run|file|serve|session)(?:: (?P<said>[^\n]*?))? -->\n+)?"
    r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One block; ``mark`` and ``said`` are of the comment above it."""

    page: str
    line: int
    language: str
    code: str
    mark: str
    said: str

    @property
    def at(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    """Every block of every page, in order."""
    return [block for page in PAGES for block in _blocks(page)]


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=str(page.relative_to(ROOT)),
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            code=found["code"],
            mark=found["mark"] or "",
            said=found["said"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]
