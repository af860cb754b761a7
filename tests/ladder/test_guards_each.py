"""What each guard minds, one principle a case."""

import pytest

from failsoft.ladder.paraphrase.same_question import difference, normalized

SAME = [
    ("en", "How do I close my account?", "how can i close my account"),
    ("en", "Hi! Could you tell me how to close my account? Thanks", "How to close my account"),
    ("en", "I was wondering whether I can pay by card.", "Can I pay by card?"),
    ("en", "Sorry, silly question, but is parking free?", "Is parking free?"),
    ("en", "What is the price of a ticket?", "How much does a ticket cost?"),
    ("en", "When do you open?", "What are your opening hours?"),
    ("en", "Before I pay, can I see the invoice?", "Can I see the bill before I pay?"),
    ("en", "How can my order be cancelled?", "How do I cancel my order?"),
    ("en", "What is the cost of delivery?", "What is the delivery cost?"),
    ("en", "Where is my date of birth stored?", "Where is my DOB stored?"),
    ("en", "How do I cancle my subscripton?", "How do I cancel my subscription?"),
    ("en", "Can I bring two bags?", "can i bring 2 bags"),
    ("en", "Is it possible to travel with 1,000 euros?", "Can one travel with one thousand euros?"),
    ("en", "a 5 kg parcel to Spain, how much is it?", "How much is a 5 kilogram package to Spain?"),
    ("en", "What\u00b4s the fee?", "What is the fee?"),
    ("en", "Where is the applicaton form?", "Where is the application form?"),
    ("en", "Where is the dpeosit form?", "Where is the deposit form?"),
    ("de", "Hallo, können Sie mir sagen, wie ich den Tarif kündige?", "Wie kündige ich den Tarif?"),
    ("de", "Wie sage ich meinen Termin ab?", "Wie kann ich meinen Termin absagen?"),
    ("de", "Ist es möglich, bar zu bezahlen?", "Kann ich bar zahlen?"),
    ("es", "Hola, ¿me puede decir cómo cancelo mi pedido?", "¿Cómo puedo cancelar mi pedido?"),
    ("es", "¿Dónde está mi nº de cuenta?", "¿Dónde está mi número de cuenta?"),
    ("es", "¿Qué precio tiene la entrada?", "¿Cuánto cuesta la entrada?"),
]  # fmt: skip

APART = [
    ("number", "en", "Can I bring 2 bags?", "Can I bring 3 bags?"),
    ("number", "en", "Is the fee 1.5 percent?", "Is the fee 15 percent?"),
    ("number", "es", "¿Puedo llevar dos maletas?", "¿Puedo llevar tres maletas?"),
    ("negation", "en", "Why can I log in?", "Why can't I log in?"),
    ("negation", "de", "Kann ich mit Karte zahlen?", "Kann ich nicht mit Karte zahlen?"),
    ("opposite", "en", "How do I enable alerts?", "How do I disable alerts?"),
    ("opposite", "en", "How do I install it?", "How do I uninstall it?"),
    ("opposite", "en", "Can I pay before delivery?", "Can I pay after delivery?"),
    ("opposite", "de", "Wie aktiviere ich die Karte?", "Wie deaktiviere ich die Karte?"),
    ("unit", "en", "Is 5 kg allowed?", "Is 5 lb allowed?"),
    ("unit", "en", "What is the monthly fee?", "What is the yearly fee?"),
    ("currency", "en", "Can I pay in euros?", "Can I pay in dollars?"),
    ("date", "en", "Are you open on Monday?", "Are you open on Sunday?"),
    ("date", "de", "Haben Sie im Mai geöffnet?", "Haben Sie im Juni geöffnet?"),
    ("name", "en", "Do you ship to Spain?", "Do you ship to Canada?"),
    ("name", "en", "Do you ship to us?", "Do you ship to the US?"),
    ("order", "en", "Is there a train from Rome to Milan?", "Is there a train from Milan to Rome?"),
    ("order", "en", "Can a tenant sue a landlord?", "Can a landlord sue a tenant?"),
    ("order", "en", "Is gold heavier than silver?", "Is silver heavier than gold?"),
    ("order", "en", "Can the seller be paid?", "Can the seller pay?"),
    ("opposite", "de", "Wie melde ich mich an?", "Wie melde ich mich ab?"),
    ("quantity", "en", "How much can I borrow?", "How long can I borrow?"),
    ("quantity", "en", "How many days do I get?", "How often do days I get?"),
    ("modality", "en", "Can I wear a mask?", "Must I wear a mask?"),
    ("modality", "es", "¿Puedo llevar casco?", "¿Debo llevar casco?"),
    ("tense", "en", "Is the office closed?", "Was the office closed?"),
    ("tense", "en", "What happens if I pay late?", "What happens if I paid late?"),
    ("content", "es", "¿Cambio mi plan?", "¿Cambió mi plan?"),
    ("scope", "en", "Can I delete all messages?", "Can I delete some messages?"),
    ("scope", "en", "Can I change the date?", "Can I change the date again?"),
    ("scope", "en", "How do I cancel my order?", "How do I cancel my first-class order?"),
    ("content", "en", "Is cheese allowed?", "Is wine allowed?"),
    ("question", "en", "Where do I pay?", "How do I pay?"),
    ("question", "en", "Why is my parcel late?", "Is my parcel late?"),
    ("person", "en", "Can I call you?", "Can you call me?"),
    ("person", "en", "How do I protect my data?", "How do you protect my data?"),
    ("person", "es", "¿Puedo llamarles?", "¿Pueden llamarme?"),
    ("person", "de", "Kann ich Sie anrufen?", "Können Sie mich anrufen?"),
    ("person", "en", "What is my limit?", "What is your limit?"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "asked", "saved"), SAME)
def test_one_question_in_other_words(locale, asked, saved):
    assert difference(asked, saved, locale=locale) is None


@pytest.mark.parametrize(("guard", "locale", "asked", "saved"), APART)
def test_questions_that_only_look_alike(guard, locale, asked, saved):
    found = difference(asked, saved, locale=locale)
    assert found is not None
    assert found == guard


def test_the_guard_is_named():
    assert difference("Can I bring 2 bags?", "Can I bring 3 bags?") == "number"
    assert difference("Can I pay in euros?", "Can I pay in dollars?") == "currency"
    assert difference("How do I enable alerts?", "How do I disable alerts?") == "opposite"


def test_a_word_nobody_knows_is_a_difference():
    assert difference("Is the gribble free?", "Is the frobnitz free?") == "content"
    assert difference("Is the gribble free?", "Is free?") == "content"


def test_a_known_word_is_no_slip_of_another():
    assert difference("Where is the desert?", "Where is the dessert?") == "content"
    assert difference("Which country is it?", "Which county is it?") is not None
    assert difference("¿Cambio de plan?", "¿Cambió de plan?", locale="es") is not None


@pytest.mark.parametrize("locale", ["fr", "pl", "xx", ""])
def test_without_word_lists_only_equal_questions_pass(locale):
    assert difference("Où est la gare ?", "où est  la gare", locale=locale) is None
    assert difference("Où est la gare ?", "Où se trouve la gare ?", locale=locale) == "language"


def test_a_text_in_another_language_than_said_is_not_guessed_at():
    french = "Comment puis-je annuler ma commande ?", "Comment annuler ma commande ?"
    assert difference(*french, locale="en") == "language"
    assert difference("Wie kann ich zahlen?", "Wie kann man zahlen?", locale="en") == "language"


@pytest.mark.parametrize("locale", ["en", "en-GB", "EN_us"])
def test_a_region_speaks_its_language(locale):
    assert difference("How do I pay?", "how can I pay", locale=locale) is None


def test_normalized_changes_no_meaning():
    assert normalized("  How do  I PAY?!") == "how do i pay"
    assert normalized("\uff28ow") == "how"
    assert normalized("Is it -5?") != normalized("Is it 5?")
    assert normalized("C++?") != normalized("C?")


SIGNS = [
    ("Is it safe to drive at -5 degrees?", "Is it safe to drive at 5 degrees?"),
    ("Is it safe to drive at \u22125 degrees?", "Is it safe to drive at 5 degrees?"),
    ("Can I have a balance of -200 euros?", "Can I have a balance of 200 euros?"),
    ("Can I have a balance of \u2013200 euros?", "Can I have a balance of 200 euros?"),
    ("Can I have a balance of -$200?", "Can I have a balance of $200?"),
    ("Can I have a balance of - 200 euros?", "Can I have a balance of 200 euros?"),
    ("What is 5 - 3?", "What is 5 3?"),
    ("Who can receive O- blood?", "Who can receive O blood?"),
    ("Is a grade of A- enough?", "Is a grade of A enough?"),
    ("How much is 5\u00b2?", "How much is 52?"),
    ("How do you say 10\u2076 in words?", "How do you say 106 in words?"),
    ("What is x\u00b2 here?", "What is x2 here?"),
    ("How long is 5' in metres?", 'How long is 5" in metres?'),
    ("How long is 5'", 'How long is 5"'),
    ("What is 5!", "What is 5"),
    ("How much is 5! in words?", "How much is 5 in words?"),
    ("What is 2**3?", "What is 2*3?"),
    ("What is 8*3?", "What is 8 3?"),
]


@pytest.mark.parametrize(("asked", "saved"), SIGNS)
def test_a_sign_at_a_figure_or_grade_is_no_mark(asked, saved):
    assert normalized(asked) != normalized(saved)
    assert difference(asked, saved) is not None


@pytest.mark.parametrize(
    ("asked", "saved"),
    [
        ("Is it -5?", "is it \u22125"),
        ("How large is 50 m\u00b2?", "how large is 50 m2"),
        ('Can I pay "5"?', "Can I pay 5?"),
        ("How do I *pay* my bill?", "How do I pay my bill?"),
        ("How do I pay my bill - by card?", "How do I pay my bill by card?"),
    ],
)
def test_a_mark_that_says_nothing_is_none(asked, saved):
    assert difference(asked, saved) is None
