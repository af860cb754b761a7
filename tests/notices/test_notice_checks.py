"""Each rule of `failsoft notices check` refuses what it is there to refuse."""

import re
import subprocess
import sys
import tomllib
from importlib import resources

import pytest

from failsoft.notices import Catalogue
from failsoft.notices.checks import check
from failsoft.notices.jargon import unfit_words

ENGLISH = (resources.files("failsoft.notices") / "locales" / "en.toml").read_text("utf-8")


def problems_of(folder):
    return [
        (problem.locale, problem.key, problem.field, problem.what)
        for problem in check(Catalogue.load(folder))
    ]


@pytest.mark.parametrize(
    ("field", "text", "what"),
    [
        ("title", "Error 529", "a status code"),
        ("title", "HTTP503", "a status code"),
        ("happened", "There was an error 5xx.", "a status code"),
        ("happened", "It ended with error #12.", "a numbered error"),
        ("happened", "It ended with error code seven.", "a numbered error"),
        ("happened", "There was an APIStatusError.", "the text of an exception"),
        ("happened", "KeyError came up.", "the text of an exception"),
        ("you", "Claude is busy.", "the name of a provider"),
        ("you", "It is not you, it is gpt-4o.", "the name of a provider"),
        ("you", "The httpx2 part broke.", "the name of a provider"),
        ("next", "Wait for the API.", "jargon: 'API'"),
        ("next", "Wait for the servers.", "jargon: 'servers'"),
        ("next", "The rate limit will pass.", "jargon: 'rate limit'"),
        ("next", "Send fewer tokens.", "jargon: 'tokens'"),
        ("next", "It was null.", "jargon: 'null'"),
        ("next", "The JSON was cut.", "jargon: 'JSON'"),
        ("next", "There was a timeout.", "jargon: 'timeout'"),
        ("action_label", "Retry", "jargon: 'Retry'"),
    ],
)
def test_words_unfit_for_people_are_refused(write, field, text, what):
    folder = write("en.toml", f'[notices.unknown.given_up]\n{field} = "{text}"')
    (locale, key, _, found), *more = problems_of(folder)
    assert (locale, key) == ("en", "unknown.given_up")
    assert found.startswith(f"has {what}")
    assert all(each[1] == "unknown.given_up" for each in more)


def test_a_suggestion_is_held_to_the_same_words(write):
    folder = write("en.toml", '[actions.help]\ntext = "Read the API docs"')
    assert problems_of(folder) == [("en", "actions.help", "text", "has jargon: 'API'")]


def test_a_word_that_is_jargon_only_in_english_may_stand_in_another_language():
    assert not list(unfit_words("Es sind null Minuten.", language="de"))
    assert list(unfit_words("Der Server", language="de"))


@pytest.mark.parametrize("field", ["title", "happened", "you", "next", "action_label"])
def test_a_missing_answer_or_action_is_refused(write, field):
    folder = write("en.toml", f'[notices.unknown.given_up]\n{field} = " "')
    assert [each[1:3] for each in problems_of(folder)] == [("unknown.given_up", field)]


def test_a_body_over_200_characters_is_refused(write):
    long = "You can do it. " * 14
    folder = write("en.toml", f'[notices.minimal]\nyou = "{long}"')
    assert [each[1:3] for each in problems_of(folder)] == [("minimal", "body")]


def test_the_length_is_that_with_the_longest_wait(write):
    happened = ("We go on. " * 16).strip()
    folder = write(
        "en.toml",
        f'[notices.minimal]\nhappened = "{happened}"\nyou = "You can read it."\n'
        'next = "Try again in {time}."',
    )
    assert len(Catalogue.load(folder).notice("minimal", seconds=0).body) == 199
    [(_, key, field, what)] = problems_of(folder)
    assert (key, field) == ("minimal", "body")
    assert "202 characters" in what


def test_words_above_reading_grade_8_are_refused(write):
    hard = "Intermittent unavailability necessitates considerable organisational accommodation."
    folder = write("en.toml", f'[notices.minimal]\nhappened = "{hard}"')
    [(_, key, field, what)] = problems_of(folder)
    assert (key, field) == ("minimal", "body")
    assert "reading grade" in what


def test_a_notice_that_gave_up_may_not_say_it_is_still_trying(write):
    folder = write("en.toml", '[notices.unknown.given_up]\nnext = "The assistant is trying again."')
    [(_, key, _, what)] = problems_of(folder)
    assert key == "unknown.given_up"
    assert "nothing is being tried" in what


def test_a_key_of_an_override_that_nothing_uses_is_named(write):
    folder = write("en.toml", '[notices.transient.retryin]\ntitle = "A short break"')
    assert problems_of(folder) == [
        ("en", "transient.retryin", "title", "is not a key that is used")
    ]


def test_a_language_with_missing_keys_is_refused(write):
    folder = write("nl.toml", '[language]\nname = "Nederlands"\nsentence_space = " "')
    missing = {(key, field) for locale, key, field, what in problems_of(folder) if locale == "nl"}
    english = tomllib.loads(ENGLISH)
    assert ("transient.given_up", "title") in missing
    assert ("actions.help", "text") in missing
    assert ("durations", "minute") in missing
    assert ("language", "name") not in missing
    assert len({key for key, _ in missing if key in Catalogue.load().keys}) == len(
        Catalogue.load().keys
    )
    assert len([key for key, _ in missing if key.startswith("actions.")]) == len(english["actions"])


def test_a_whole_language_is_fit_and_its_extra_keys_and_facts_are_not(write):
    whole = "\n".join(
        line for line in ENGLISH.splitlines() if not line.startswith(("action =", *NOT_WORDS))
    )
    whole = whole.replace(', link = "help"', "").replace(', link = "status_page"', "")
    whole = whole.replace(', link = "history"', "")
    whole = re.sub(r'^(\w+ = (?:\{ text = )?"[^"]+)"', r'\1 ok"', whole, flags=re.MULTILINE)
    assert problems_of(write("nl.toml", whole)) == []
    extra = whole.replace("[notices.saved]", '[notices.saved]\nseverity = "error"\nbody = "x"')
    assert problems_of(write("nl.toml", extra)) == [
        ("nl", "saved", "body", "is not a key that is used"),
        ("nl", "saved", "severity", "is a fact that en.toml states for all"),
    ]


NOT_WORDS = ("countdown_seconds", "status_link", "severity", "suggest")


def test_placeholders_must_be_those_of_english(write):
    text = '[notices.cached]\ntitle = "Oud {time}"\n[notices.minimal]\nnext = "Later."'
    found = [each for each in problems_of(write("nl.toml", text)) if "English has" in each[3]]
    assert sorted(found) == [
        ("nl", "cached", "title", "has {time}, which English has not"),
        ("nl", "cached", "title", "lacks {age}, which English has"),
        ("nl", "minimal", "body", "lacks {time}, which English has"),
    ]


def test_a_region_needs_only_what_differs_from_its_language(write):
    folder = write("en-gb.toml", '[notices.minimal]\ntitle = "No answer just now"')
    assert problems_of(folder) == []


def test_without_the_extra_one_line_says_what_to_install(monkeypatch, catalogue):
    monkeypatch.setitem(sys.modules, "textstat", None)
    [problem] = check(catalogue)
    assert problem.skipped
    assert str(problem) == (
        "en: body: the reading grade was not measured; "
        "install what measures it: pip install 'failsoft[notices]'"
    )


def test_the_reading_grade_needs_no_network_and_no_home(tmp_path):
    program = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the network was used")
socket.socket.connect = socket.getaddrinfo = refuse
from failsoft.notices.checks import load_grader
print(load_grader()("Try again in a few minutes."))
"""
    done = subprocess.run(  # noqa: S603  our own interpreter and program
        [sys.executable, "-W", "error", "-c", program],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert 0 < float(done.stdout) < 5
