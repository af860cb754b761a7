"""What a file of a rule may say, and what is said of one that says it wrong."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failsoft.ladder.rules.files import (
    MAX_BYTES,
    Document,
    MalformedError,
    read_document,
    read_rule,
)
from failsoft.ladder.rules.rule import Rule, RuleProblem, remarks

WHOLE = """---
# what people ask
questions:
  - Is my document lost?
  - "Help: where is it?"
keywords: lost file
link: https://a.test/b?c=1#d
link_label: Documents
action: Look again later.
locale: de_AT
routes: [chat, support]
---

First line.

**Second**, see [here](/help) or write to [us](mailto:a@b.test).
"""
HEAD = "---\nquestions: Where?\n---\n"


def read(text: str | bytes) -> Rule | RuleProblem:
    content = text if isinstance(text, bytes) else text.encode()
    return read_rule(content, name="a", file="rules/a.md")


def problem(text: str | bytes) -> str:
    found = read(text)
    assert isinstance(found, RuleProblem)
    return str(found)


def head(*lines: str) -> str:
    return "\n".join(["---", "questions: Where?", *lines, "---", "Here."])


def test_everything_that_a_rule_may_say():
    rule = read(WHOLE)
    assert isinstance(rule, Rule)
    assert [text for text, _ in rule.questions] == ["Is my document lost?", "Help: where is it?"]
    assert [line for _, line in rule.questions] == [4, 5]
    assert [text for text, _ in rule.keywords] == ["lost file"]
    assert (rule.link, rule.link_label) == ("https://a.test/b?c=1#d", "Documents")
    assert (rule.action, rule.locale) == ("Look again later.", "de-at")
    assert rule.routes == {"chat", "support"}
    assert rule.text.startswith("First line.\n\n**Second**")
    assert (rule.lines["link"], rule.lines["text"]) == (7, 14)
    assert list(remarks(rule, "a")) == []


def test_the_least_that_a_rule_must_say():
    rule = read(HEAD + "Here.")
    assert isinstance(rule, Rule)
    assert (rule.link, rule.action, rule.locale, rule.routes) == (None, None, "en", None)
    assert rule.serves("any")


@pytest.mark.parametrize("text", [WHOLE, "\ufeff" + WHOLE, WHOLE.replace("\n", "\r\n")])
def test_files_from_any_editor(text):
    assert read(text) == read(WHOLE)


@pytest.mark.parametrize("said", ["no", "007", "2026-11-23", "null", "~x", "1e3", "Yes!"])
def test_a_text_stays_what_was_written(said):
    rule = read(head(f"keywords: [{said}]", f"action: {said}"))
    assert isinstance(rule, Rule)
    assert (rule.keywords[0].text, rule.action) == (said, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Here.", "1: does not begin with a line ---, put one above the questions"),
        ("", "1: does not begin with a line ---"),
        ("---\nquestions: a", "1: has no second line ---"),
        (HEAD, "4: has no answer, write it below"),
        ("---\nlink: /a\n---\nHere.", "1: has no questions, add some"),
        ("---\n---\nHere.", "1: has no questions"),
        ("---\nquestions:\n---\nHere.", "1: has no questions"),
        ("---\n- Where?\n---\nHere.", "2: is not a key, a colon and a text"),
        (head("- Where?"), "3: cannot be read"),
        (head("qestions: a"), "3: has 'qestions', which no rule has, write questions"),
        (head("colour: red"), "3: has 'colour', which no rule has, use one of questions,"),
        (head("questions: Again?"), "3: has questions again, make the two one"),
        (head("action: Note: wait"), "3: has a colon inside a text, put the whole text in double"),
        (head("keywords:", "- Note: wait"), "4: has a colon or a bracket inside a text"),
        (head("keywords:", "\t- tab"), "4: has a tab, use spaces in its place"),
        (head("action: *now*"), "3: begins with a character that means something else"),
        (head("action: &now"), "3: begins with a character that means something else"),
        (head("action: !now do"), "3: begins with a character that means something else"),
        (head("action: @me"), "3: begins with a character that means something else"),
        (head('action: "Do" it'), "3: goes on after the closing quote"),
        (head("action: 'Do it"), "3: opens a quote that nothing closes, close it"),
        (head("action: Look at form #5"), "3: would lose what is after the #"),
        (head("action", "link: /a"), "4: is not a key, a colon and a text"),
        (head("action: [one, two]"), "3: has more than one action, keep one"),
        (head("action: [[[[one]]]]"), "3: has a colon inside"),
        (head("action: a\x07b"), "3: has an invisible character, type the line anew"),
        (head("action: " + "a" * 301), "3: has a text of more than 300 characters"),
        (head("action: <b>now</b>"), "3: has HTML"),
        (head("locale: english language"), "3: has the locale 'english language', write it like"),
        (head("link: www.a.test"), "3: has a link to 'www.a.test', begin the address with https"),
        (head("link_label: Here"), "3: has a link_label and no link"),
        ("---\n" + "#" * 20_000 + "\n---\nHere.", "2: has a head of more than 16,384 characters"),
        (HEAD.encode() + b"a\n\xff", "5: is not UTF-8 text, save the file as UTF-8"),
        (WHOLE.encode("utf-16"), "1: is not UTF-8 text"),
        (HEAD + "a" * MAX_BYTES, "1: is larger than 64 KB"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_what_to_do(text, said):
    assert problem(text).startswith(f"rules/a.md:{said}")


@pytest.mark.parametrize(
    "link", ["https://a.test", "http://a.test:81/b", "mailto:a@b.test", "/help", "/a/b?c#d"]
)
def test_addresses_that_lead_somewhere(link):
    assert isinstance(read(head(f"link: {link}")), Rule)
    assert isinstance(read(f"{HEAD}See [this]({link}), ![that]({link}).\n\n> [x]: {link}"), Rule)


@pytest.mark.parametrize(
    "link",
    [
        *("javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,a", "java&#115;cript:a"),
        *("//a.test", "/\\a.test", "\\\\a.test", "help.html", "https://", "https://u:p@a.test"),
        *("ftp://a.test", "mailto:", "vbscript:a", "< javascript:a"),
    ],
)
def test_addresses_that_do_not(link):
    assert "has a link to" in problem(head(f'link: "{link}"'.replace("\\", "\\\\")))
    assert "has a link to" in problem(f"{HEAD}See [this]({link}).")
    assert "has a link to" in problem(f"{HEAD}See [this].\n\n> [this]: {link}\n")


@pytest.mark.parametrize(
    "text",
    [
        *("<script>a</script>", "<b>x</b>", "a <img/src=x onerror=a>", "</p>", "<!-- a -->"),
        *(
            "<?php a ?>",
            "`<i>`",
            "<a:b onclick=a>",
            "<https://a.test/onclick=a>",
            "<svg\x0conload=a>",
        ),
    ],
)
def test_nothing_that_a_browser_could_take_for_a_tag(text):
    assert problem(f"{HEAD}One.\n\nTwo {text}\n").startswith("rules/a.md:6: has HTML, use Markdown")


def test_a_smaller_than_sign_is_not_html():
    assert isinstance(read(HEAD + "If 3 < 4, or <3, or a <- b."), Rule)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nkeywords: a\n---\nb", "a:1: warning: has no questions"),
        (HEAD + "a" * 1201, "a:4: warning: has an answer of 1,201 characters, more than 1,200"),
        (head("locale: gr"), "a:3: warning: is in no known language: gr, use its code"),
        (head("link: https://www.example.com/a"), "a:3: warning: leads to an address that is only"),
        (HEAD + "See [a](https://example.org).", "a:4: warning: leads to an address that is only"),
    ],
)
def test_what_is_worth_a_look_does_not_keep_a_rule_out(text, said):
    rule = read(text)
    assert isinstance(rule, Rule)
    (remark,) = remarks(rule, "a")
    assert str(remark).startswith(said)
    assert remark.warning


@pytest.mark.parametrize("piece", ["[", "\n", "[\n", "](", "]( ", "<", " \n", "> [a", "[a]: "])
def test_a_long_body_of_one_piece_is_read_in_no_time(piece):
    read(HEAD + "a" + piece * (60_000 // len(piece)) + "a")


BOMBS = [
    "a: &a [x]\nb: [*a, *a, *a]",
    "[" * 16_000,
    "{" * 16_000,
    "- " * 8_000,
    "? " * 8_000,
    "[a," * 5_000,
    "a: !!python/object/apply:os.system [ls]",
    "a: !!timestamp x",
    "<<: {a: b}",
]
# What YAML is made of, so that more than noise is read.
PIECES = st.sampled_from(
    [*"-?:,[]{}#&*!|>'\"%@`~\\ \n\t", "questions", ": ", "\n  - ", "---", "\r", "\x00", "<<", "é"]
)
NEARLY = st.lists(PIECES | st.text(max_size=5), max_size=60).map("".join)


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_grows_or_hides_is_refused(bomb):
    assert re.match(r"rules/a\.md:2: ", problem(f"---\n{bomb}\n---\nHere."))


@given(NEARLY)
@example("---\n? a\n---\n")
@example("---\na: |\n  b\n---\nc")
def test_the_reader_gives_a_document_or_says_what_is_wrong(text):
    whole = f"---\n{text}\n---\nHere."
    for each in (text, whole):
        found = taken_apart(each)
        if isinstance(found, MalformedError):
            assert 1 <= found.line <= len(each.splitlines()) + 1
            assert found.what
            assert found.remedy
        else:
            assert set(found.values) == set(found.keys)


def taken_apart(text: str) -> Document | MalformedError:
    try:
        return read_document(text)
    except MalformedError as error:
        return error


@given(st.binary(max_size=300) | NEARLY.map(lambda text: f"---\n{text}\n---\nHere.".encode()))
def test_any_file_is_a_rule_or_one_line(content):
    found = read(content)
    if isinstance(found, RuleProblem):
        assert re.fullmatch(r"rules/a\.md:[1-9]\d*: [^\n]+, [^\n]+", str(found))
    else:
        assert found.text
        assert found.questions or found.keywords
