"""docs/rules.md says what happens."""

import re
from pathlib import Path

from rules_kit import write

from failsoft.ladder.rules.files import KEYS, check

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```markdown\n(.*?)```", PAGE, re.DOTALL)
(COMPLAINTS,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_has_every_key_and_no_other():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(KEYS)


def test_the_example_is_a_rule_without_a_flaw(tmp_path):
    (tmp_path / "lost.md").write_text(EXAMPLE, encoding="utf-8")
    assert check(tmp_path) == (1, [])


def test_the_program_prints_what_it_finds(tmp_path, monkeypatch, capsys):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "lost.md").write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(PROGRAM, {})  # noqa: S102 - the page's own
    assert capsys.readouterr().out.startswith("lost text A document that you saw listed")


def test_the_lines_of_the_check_are_those_it_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rules = tmp_path / "rules"
    lost = "Is my document lost?"
    write(rules, "hours", questions=["When?"], action="Note: wait")
    write(rules, "fees", questions=["What is it?", "Cost?", "Fees?"], link="www.bank.test")
    write(rules, "lost", questions=[lost])
    write(rules, "send-again", questions=["Again?", lost])
    write(rules, "fax", keywords=["fax number"])
    said = {str(problem) for problem in check(Path("rules"))[1]}
    assert set(COMPLAINTS.splitlines()) <= said
