"""``failsoft rules``: what is wrong with a folder of rules, and a folder to begin with."""

import re

import pytest

RULE = "---\nquestions:\n  - {}\n---\nHere.\n"
LINE = re.compile(r"\S+\.md:\d+: (warning: )?[^\n]+, [^\n]+")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "lost.md").write_text(RULE.format("Is my document lost?"))
    (folder / "hours.md").write_text(RULE.format("When are you open?"))
    return folder


def test_nothing_wrong(invoke, folder):
    ended = invoke("rules", "check", folder.name)
    assert (ended.code, ended.out) == (0, "2 rules in rules: nothing wrong.\n")


@pytest.mark.parametrize("given", ["variable", "file"])
def test_the_folder_of_the_settings(invoke, folder, tmp_path, given):
    (tmp_path / "own.toml").write_text(f'rules_dir = "{folder.name}"\n')
    ended = (
        invoke("rules", "check", FAILSOFT_RULES_DIR="rules")
        if given == "variable"
        else invoke("rules", "check", "--config", "own.toml")
    )
    assert (ended.code, ended.out) == (0, "2 rules in rules: nothing wrong.\n")


def test_every_problem_is_a_line_with_its_place(invoke, folder):
    (folder / "bad.md").write_text(RULE.format("Where?") + "<b>")
    (folder / "worse.md").write_text("---\nlink: a\nquestions: b\n---\nHere.")
    ended = invoke("rules", "check", "rules")
    assert ended.code == 1
    assert ended.out == (
        "rules/bad.md:6: has HTML, use Markdown: **bold**, [text](address); "
        "or put a space after the <\n"
        "rules/worse.md:2: has a link to 'a', "
        "begin the address with https://, http://, mailto: or /\n"
    )


def test_warnings_alone_are_no_failure(invoke, folder):
    (folder / "long.md").write_text(RULE.format("Where?") + "a" * 1300)
    (folder / "gr.md").write_text("---\nkeywords: fax\nlocale: gr\n---\nHere.")
    ended = invoke("rules", "check", "rules")
    assert ended.code == 0
    assert all(LINE.fullmatch(line) for line in ended.out.splitlines()[:-1])
    assert [line.split(",")[0] for line in ended.out.splitlines()] == [
        "rules/gr.md:1: warning: has no questions",
        "rules/gr.md:3: warning: is in no known language: gr",
        "rules/long.md:5: warning: has an answer of 1",
        "4 rules in rules: 3 warnings.",
    ]


def test_a_question_in_two_rules(invoke, folder):
    (folder / "again.md").write_text(RULE.format("is my document LOST"))
    ended = invoke("rules", "check", "rules")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "rules/again.md:3: has a question that is also in lost, leave it in one of them",
        "rules/lost.md:3: has a question that is also in again, leave it in one of them",
    ]


@pytest.mark.parametrize("other", ["locale: de", "routes: [desk]"])
def test_a_question_in_two_rules_for_other_people(invoke, folder, other):
    apart = ["routes: [chat]"] if "routes" in other else []
    for name, lines in (("lost", apart), ("again", [other])):
        head = "\n".join(["---", "questions: Is my document lost?", *lines])
        (folder / f"{name}.md").write_text(f"{head}\n---\nHere.")
    assert invoke("rules", "check", "rules").code == 0


def test_a_question_that_fits_another_rule_too(invoke, folder):
    (folder / "where.md").write_text(RULE.format("Where is my lost document?"))
    ended = invoke("rules", "check", "rules")
    assert ended.code == 0
    assert (
        "rules/where.md:3: warning: has a question that fits lost too, so that one like it gets no "
        "answer, say in more of its words what it is about"
    ) in ended.out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no folder is named: failsoft rules check FOLDER, or set rules_dir"),
        (["none"], "none: cannot be read (No such file or directory): name a folder of Markdown"),
        (["file"], "file: cannot be read (Not a directory)"),
        (["empty"], "empty: has no rules in it: put Markdown files there, or failsoft rules"),
    ],
)
def test_nothing_to_look_at(invoke, tmp_path, arguments, said):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    ended = invoke("rules", "check", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"failsoft: {said}")


def test_the_starter_is_written_once_and_over_nothing(invoke, tmp_path):
    own = tmp_path / "rules" / "privacy.md"
    own.parent.mkdir()
    own.write_text("mine")
    ended = invoke("rules", "starter", "rules")
    assert ended.code == 0
    count = len(list(own.parent.glob("*.md")))
    assert count >= 8
    assert ended.out.startswith(f"{count - 1} files written to rules.")
    assert own.read_text() == "mine"
    assert invoke("rules", "starter", "rules").out.startswith("0 files written to rules.")


def test_the_starter_can_be_checked_and_then_mended(invoke):
    invoke("rules", "starter", "new/rules")
    ended = invoke("rules", "check", "new/rules")
    assert ended.code == 0
    assert set(re.findall(r"warning: (.*)", ended.out)) == {
        "leads to an address that is only an example, put in your own"
    }


def test_where_the_starter_cannot_be_written(invoke, tmp_path):
    (tmp_path / "file").touch()
    ended = invoke("rules", "starter", "file")
    assert ended.code == 2
    assert ended.err == "failsoft: file: cannot be written to (File exists): name another folder\n"
