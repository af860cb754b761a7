"""What holds for every text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.ladder.paraphrase.language import languages
from failsoft.ladder.paraphrase.same_question import difference

LOCALES = st.sampled_from([*languages(), "fr"])
# fmt: off
WORDS = [
    "how", "can", "i", "you", "my", "the", "a", "not", "5", "two", "to", "from", "in", "on",
    ",", "?", "pay", "card", "cancel", "account", "before", "if", "US", "won't", "kg", "€",
    "must", "when", "wie", "ich", "kann", "nicht", "ab", "cómo", "puedo", "cancelar", "#", "'",
    "-", "1,000", "''", "3rd", "é"
]
# fmt: on
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
# Half a character too: JSON can carry it.
CHARACTERS = st.characters(exclude_categories=())
TEXTS = st.one_of(st.text(CHARACTERS, max_size=60), SENTENCES)

QUESTIONS = {
    "en": "how do i change the delivery address of my order",
    "de": "wie kann ich die adresse von meiner bestellung ändern",
    "es": "cómo puedo cambiar la dirección de mi pedido",
}
# fmt: off
ADDED = {
    "en": [
        "not", "never", "without", "7", "seven", "all", "only", "tomorrow", "must", "again",
        "Paris", "quickly", "gribble"
    ],
    "de": [
        "nicht", "nie", "ohne", "7", "sieben", "alle", "nur", "morgen", "muss", "wieder",
        "Paris", "gribbel"
    ],
    "es": [
        "no", "nunca", "sin", "7", "siete", "todos", "solo", "mañana", "debo", "otra", "Paris",
        "gribel"
    ],
}
# fmt: on

# fmt: off
NAMES = {
    None, "language", "length", "opposite", "number", "negation", "unit", "currency", "date",
    "name", "modality", "tense", "scope", "person", "order", "content", "quantity", "question"
}
# fmt: on


@given(TEXTS, LOCALES)
def test_a_question_is_itself(text, locale):
    assert difference(text, text, locale=locale) is None


@given(TEXTS, SENTENCES, LOCALES)
def test_any_text_beside_a_question_is_read(text, sentence, locale):
    whole = f"{sentence} {text}"
    assert difference(whole, sentence, locale=locale) in NAMES


@pytest.mark.parametrize("locale", ["en", "de", "es", "fr"])
@pytest.mark.parametrize("piece", ["zu", "how, ", "\U0001f600", "e\u0301", "a'", "1,", "\ud800 "])
def test_longer_texts_are_not_compared(piece, locale):
    text = piece * 50_000
    assert difference(text, f"{text} not", locale=locale) == "length"
    assert difference("how do i pay", text, locale=locale) == "length"
    assert difference(text, text, locale=locale) is None


@given(TEXTS, TEXTS, LOCALES)
def test_it_matters_not_which_is_saved(one, other, locale):
    assert difference(one, other, locale=locale) == difference(other, one, locale=locale)


@pytest.mark.parametrize("locale", QUESTIONS)
@given(data=st.data())
def test_a_word_more_is_a_difference_wherever_it_stands(locale, data):
    words = QUESTIONS[locale].split()
    added = data.draw(st.sampled_from(ADDED[locale]))
    # Between the words of "how do i" it would make another question, or none.
    place = data.draw(st.integers(3, len(words)))
    more = " ".join([*words[:place], added, *words[place:]])
    assert difference(more, QUESTIONS[locale], locale=locale) is not None
