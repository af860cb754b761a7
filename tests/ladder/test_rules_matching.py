"""Which rule a question is given: by wording, meaning or subject, in its language and route."""

from types import SimpleNamespace

import pytest
from rules_kit import name_of, write

from failsoft import RuleBook
from failsoft.ladder.rules.vocabulary import Vocabulary


@pytest.fixture
def folder(tmp_path):
    write(
        tmp_path,
        "lost",
        "It is **not** lost.",
        questions=["Is my document lost?", "My document did not arrive"],
        link="/documents",
        link_label="Documents",
        action="Look later.",
    )
    write(tmp_path, "hours", questions=["When do you open the branch?"], keywords=["GDPR desk"])
    write(tmp_path, "fees", questions=["What does a transfer of 50 euros cost?"])
    return tmp_path


def test_everything_that_a_match_says(folder):
    found = RuleBook(folder).match("is my document  LOST")
    assert (found.text, found.link, found.link_label, found.action, found.name) == (
        "It is **not** lost.",
        "/documents",
        "Documents",
        "Look later.",
        "lost",
    )
    assert (found.score, found.how) == (1.0, "exact")


def test_other_words_around_the_same_subject(folder):
    found = RuleBook(folder).match("Please, are all of my documents lost now?")
    assert (found.name, found.how) == ("lost", "text")
    assert 0.65 < found.score <= 1.0


@pytest.mark.parametrize(
    "question",
    [
        "",
        "???",
        "Is it?",
        "lost",
        "Who wrote the novel Lost Documents of Paris?",
        "Is my document not lost?",
        "When do you close the branch?",
        "What does a transfer of 70 euros cost?",
        "Is my document lost? " * 50,
    ],
)
def test_what_is_not_clearly_asked_gets_no_answer(folder, question):
    assert RuleBook(folder).match(question) is None


def test_a_negation_that_both_have(folder):
    assert name_of(RuleBook(folder), "Sorry, my documents did not arrive!") == "lost"


def test_a_question_that_is_a_keyword_and_no_more(folder):
    assert name_of(RuleBook(folder), "the GDPR desk?") == "hours"


def test_keywords_alone_make_a_rule(tmp_path):
    write(tmp_path, "fax", keywords=["fax number", "telefax"])
    book = RuleBook(tmp_path)
    assert name_of(book, "do you have a fax number?") == "fax"
    assert name_of(book, "Telefax?") == "fax"
    assert name_of(book, "what number is the fax machine shop in Rome?") is None


def test_two_that_fit_alike_give_none(folder):
    write(folder, "found", questions=["Where is my lost document?"])
    book = RuleBook(folder)
    assert name_of(book, "Is my document lost?") == "lost"
    assert book.match("are the documents lost") is None


def test_a_rule_is_given_on_its_routes_only(folder):
    write(folder, "fax", questions=["What is your fax number?"], routes=["desk", "fax"])
    book = RuleBook(folder)
    for question in ("What is your fax number?", "do you have a fax number?"):
        assert name_of(book, question) is None
        assert name_of(book, question, route="desk") == "fax"


def test_an_exact_question_goes_to_whoever_serves_the_route(folder):
    write(folder, "a-desk", questions=["Is my document lost?"], routes=["desk"])
    book = RuleBook(folder)
    assert name_of(book, "Is my document lost?") == "lost"
    assert name_of(book, "Is my document lost?", route="desk") == "a-desk"


@pytest.fixture
def languages(tmp_path):
    write(tmp_path, "en", questions=["Is my document lost?"])
    write(tmp_path, "de/alle", questions=["Ist mein Dokument verloren gegangen?"], locale="de")
    write(tmp_path, "de/zeit", questions=["Wann ist die Filiale offen?"], locale="de")
    write(tmp_path, "de/zz-wien", questions=["Wann ist die Filiale offen?"], locale="de-AT")
    return tmp_path


@pytest.mark.parametrize(
    ("question", "locale", "name"),
    [
        ("Ist mein Dokument verloren gegangen?", "de", "de/alle"),
        ("sind meine Dokumente verloren gegangen", "de", "de/alle"),
        ("sind meine Dokumente verloren gegangen", "de-CH", "de/alle"),
        ("sind meine Dokumente verloren gegangen", "DE_at", "de/alle"),
        ("Wann ist die Filiale offen?", "de", "de/zeit"),
        ("Wann ist die Filiale offen?", "de-AT", "de/zz-wien"),
        ("ab wann sind Filialen offen", "de-AT", "de/zz-wien"),
        ("ab wann sind Filialen offen", "de-DE", "de/zeit"),
        ("Is my document lost?", "en-GB", "en"),
        ("Is my document lost?", "de", None),
        ("Is my document lost?", "fr", None),
        ("Ist mein Dokument verloren gegangen?", "en", None),
        ("Is my document lost?", "no such tag", None),
    ],
)
def test_the_locale_decides_the_language(languages, question, locale, name):
    assert name_of(RuleBook(languages), question, locale=locale) == name


def test_another_language_only_where_it_is_set_and_none_fits_in_ones_own(languages):
    book = RuleBook(languages, fallback_locale="en")
    assert name_of(book, "Is my document lost?", locale="de") == "en"
    assert name_of(book, "Is my document lost?", locale="fr") == "en"
    assert name_of(book, "Wann ist die Filiale offen?", locale="de") == "de/zeit"


@pytest.mark.parametrize(
    ("locale", "question", "asked"),
    [
        ("es", "¿Dónde está mi documento perdido?", "mis documentos perdidos"),
        ("fr", "Où sont mes documents perdus ?", "les documents perdus"),
        ("ru", "Где мои документы потерялись?", "документ потерялся"),
        ("ja", "営業時間を教えてください", "営業時間"),
        ("hi", "मेरा दस्तावेज़ कहाँ है?", "मेरा दस्तावेज़ कहाँ है"),
        ("xx", "Blubba gromp zworkel?", "zworkel gromp"),
    ],
)
def test_any_language_is_read(tmp_path, locale, question, asked):
    write(tmp_path, "rule", questions=[f'"{question}"'], keywords=[f'"{asked}"'], locale=locale)
    assert name_of(RuleBook(tmp_path), asked, locale=locale) == "rule"


def test_what_a_question_is_about():
    content = Vocabulary().content
    assert content("I\u2019d like to know: are the Documents, uploaded?", "en") == {
        "document",
        "upload",
    }
    assert content("Können Sie mir bitte die Öffnungszeiten nennen", "de-AT") == {
        *("offnungszeit", "nenn")
    }
    assert content("営業時間", "ja") == {"営業", "業時", "時間"}
    assert len(content("कहाँ दस्तावेज़", "hi")) == 2
    assert content("'", "en") == frozenset()


class Axes:
    """An embedder that knows a few words, each a direction of its own."""

    name = "axes"
    dimensions = 4
    threshold = 0.8
    words = ("lost", "vanished", "branch", "fee")

    def embed(self, text):
        np = pytest.importorskip("numpy")
        vector = np.array([float(word in text.lower()) for word in self.words], np.float32)
        vector[0] = max(vector[0], vector[1])
        vector[1] = 0
        return vector / (np.linalg.norm(vector) or 1.0)


def test_another_wording_with_the_same_meaning(folder, monkeypatch):
    monkeypatch.setattr("failsoft.ladder.rules.index.difference", lambda *_, **__: None)
    found = RuleBook(folder, embedder=Axes()).match("It vanished")
    assert (found.name, found.how, found.score) == ("lost", "semantic", 1.0)
    assert RuleBook(folder).match("It vanished") is None


def test_the_same_meaning_on_another_route(folder, monkeypatch):
    monkeypatch.setattr("failsoft.ladder.rules.index.difference", lambda *_, **__: None)
    write(folder, "branch", questions=["Is the branch fee lost?"], routes=["desk"])
    book = RuleBook(folder, embedder=Axes())
    assert name_of(book, "vanished branch fee", route="desk") == "branch"
    assert name_of(book, "vanished branch fee") != "branch"


def test_a_like_meaning_that_a_guard_tells_apart(folder, monkeypatch):
    seen = []

    def difference(asked, saved, *, locale):
        seen.append((asked, saved, locale))
        return "content"

    monkeypatch.setattr("failsoft.ladder.rules.index.difference", difference)
    assert RuleBook(folder, embedder=Axes()).match("It vanished") is None
    assert seen == [("It vanished", "Is my document lost?", "en")]


def test_an_embedder_that_breaks_is_told_and_words_go_on(folder, caplog):
    broken = SimpleNamespace(dimensions=4, threshold=0.5, embed=lambda _: 1 / 0)
    book = RuleBook(folder, embedder=broken)
    assert "rules are found by their words only" in caplog.text
    assert name_of(book, "are my documents lost") == "lost"


def test_no_rules_at_all(tmp_path):
    assert RuleBook(tmp_path).match("Is my document lost?") is None
