"""What docs/wrap.md says of frameworks is what the programs of tests/clients do."""

import re

from doc_blocks import ROOT

PAGE = (ROOT / "docs" / "wrap.md").read_text(encoding="utf-8")
PROGRAMS = ROOT / "tests" / "clients" / "frameworks"


def test_each_framework_gets_the_client_as_the_page_says():
    section = PAGE.split("## Frameworks\n")[1].split("\n## ")[0]
    shown = re.findall(r"^\| [\w-]+ \| `([^`]+)`", section, re.MULTILINE)
    programs = [path.read_text(encoding="utf-8") for path in sorted(PROGRAMS.glob("ask_*.py"))]
    assert len(shown) == len(programs)
    assert [code for code in shown if not any(code in program for program in programs)] == []
