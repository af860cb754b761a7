"""The rules to begin with are sound, found by other words, and not by other questions."""

import pytest
from rules_kit import STARTER, UNRELATED, UNSEEN, name_of

from failsoft import RuleBook
from failsoft.ladder.embedder import WordllamaEmbedder
from failsoft.ladder.rules.files import RuleFolder, check


@pytest.fixture(scope="module", params=["words", "meaning"])
def book(request):
    if request.param == "words":
        return RuleBook(STARTER)
    pytest.importorskip("wordllama")
    return RuleBook(STARTER, embedder=WordllamaEmbedder())


def rules():
    folder = RuleFolder(STARTER)
    folder.look()
    return folder.rules


def test_only_the_stand_in_addresses_are_left_to_mend():
    count, problems = check(STARTER)
    assert 8 <= count <= 10
    assert {problem.what for problem in problems} == {"leads to an address that is only an example"}
    assert all(problem.warning for problem in problems)


def test_each_says_what_to_do_next():
    assert [rule.name for rule in rules() if not rule.action] == []


def test_each_answers_its_own_questions(book):
    asked = [(text, rule.name) for rule in rules() for text, _ in rule.questions]
    assert [(text, name) for text, name in asked if name_of(book, text) != name] == []


def test_each_has_unseen_wordings():
    written = {text.casefold() for rule in rules() for text, _ in rule.questions}
    assert UNSEEN.keys() == {rule.name for rule in rules()}
    assert not written & {text.casefold() for texts in UNSEEN.values() for text in texts}


@pytest.mark.parametrize("name", UNSEEN)
def test_each_is_found_by_unseen_wordings(book, name):
    assert [name_of(book, question) for question in UNSEEN[name]] == [name] * 3


def test_no_other_question_is_answered(book):
    assert [(question, name_of(book, question)) for question in UNRELATED] == [
        (question, None) for question in UNRELATED
    ]


@pytest.mark.parametrize(
    "question", ["\ud800 lost", "\x00", "a" * 10**6, "🙂" * 200, "\u0301", "' '"]
)
def test_no_question_is_too_strange(book, question):
    assert book.match(question) is None
    assert book.match("lost documents?", locale=question) is None
