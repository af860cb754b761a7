"""The languages that ship: whole, grammatical in every number, and nothing of another in them."""
# ruff: noqa: RUF001 - other languages have letters and marks of their own

import re
from itertools import chain

import pytest

from failsoft.notices import Catalogue, direction
from failsoft.notices.checks import check
from failsoft.notices.jargon import still_trying, unfit_words

OTHERS = ("ar", "de", "es", "fr", "ja")
LINKS = ("help", "history", "status_page")
DAY = 86_400

RETRYING = (
    *(f"{name}.retrying" for name in ("transient", "rate_limited", "timeout", "content_policy")),
    *(f"{name}.retrying" for name in ("auth_error", "permanent", "unknown")),
    "switching",
    "waiting",
)

# What Unicode's CLDR says of whole numbers, written apart from the files under test.
CLDR = {
    "en": lambda n: "one" if n == 1 else "other",
    "de": lambda n: "one" if n == 1 else "other",
    "es": lambda n: "one" if n == 1 else "other",
    "fr": lambda n: "one" if n in (0, 1) else "other",
    "ja": lambda _: "other",
    "ar": lambda n: (
        {1: "one", 2: "two"}.get(n)
        or ("few" if n % 100 in range(3, 11) else "many" if n % 100 in range(11, 100) else "other")
    ),
}

ARABIC_UNITS = {
    "second": ("ثانية واحدة", "ثانيتين", "{n} ثوانٍ", "{n} ثانية", "{n} ثانية"),
    "minute": ("دقيقة واحدة", "دقيقتين", "{n} دقائق", "{n} دقيقة", "{n} دقيقة"),
    "hour": ("ساعة واحدة", "ساعتين", "{n} ساعات", "{n} ساعة", "{n} ساعة"),
    "day": ("يوم واحد", "يومين", "{n} أيام", "{n} يومًا", "{n} يوم"),
}
UNITS = {
    "en": {
        unit: (f"{{n}} {unit}", f"{{n}} {unit}s") for unit in ("second", "minute", "hour", "day")
    },
    "de": {
        "second": ("{n} Sekunde", "{n} Sekunden"),
        "minute": ("{n} Minute", "{n} Minuten"),
        "hour": ("{n} Stunde", "{n} Stunden"),
        "day": ("{n} Tag", "{n} Tagen"),
    },
    "es": {
        "second": ("{n} segundo", "{n} segundos"),
        "minute": ("{n} minuto", "{n} minutos"),
        "hour": ("{n} hora", "{n} horas"),
        "day": ("{n} día", "{n} días"),
    },
    "fr": {
        "second": ("{n} seconde", "{n} secondes"),
        "minute": ("{n} minute", "{n} minutes"),
        "hour": ("{n} heure", "{n} heures"),
        "day": ("{n} jour", "{n} jours"),
    },
    "ja": {"second": ("{n}秒",), "minute": ("{n}分",), "hour": ("{n}時間",), "day": ("{n}日",)},
    "ar": ARABIC_UNITS,
}
FORMS = {"ja": ("other",), "ar": ("one", "two", "few", "many", "other")}
SIZES = {"day": DAY, "hour": 3600, "minute": 60, "second": 1}


def grammatical(locale, seconds):
    """A wait as a grammar book has it."""
    unit, size = next((u, s) for u, s in SIZES.items() if seconds == s or seconds >= 2 * s)
    number = -(-seconds // size)
    forms = dict(zip(FORMS.get(locale, ("one", "other")), UNITS[locale][unit], strict=True))
    return forms[CLDR[locale](number)].replace("{n}", str(number))


def everything_read(catalogue, locale, seconds=120.0, age_seconds=3 * 3600.0):
    """Every text a person may meet in a language, by where it is."""
    for key in catalogue.keys:
        notice = catalogue.notice(key, locale=locale, seconds=seconds, age_seconds=age_seconds)
        yield key, notice.title
        yield key, notice.body
        yield key, notice.primary_action_label
        for action in catalogue.actions(key, locale=locale, seconds=seconds, links=LINKS):
            yield key, action


def test_these_languages_ship(catalogue):
    assert catalogue.locales == tuple(sorted((*OTHERS, "en")))
    names = [catalogue.language(each).name for each in catalogue.locales]
    assert names == ["العربية", "Deutsch", "English", "Español", "Français", "日本語"]


@pytest.mark.parametrize("locale", OTHERS)
def test_a_language_says_everything_that_english_says(catalogue, locale):
    def places(tree, path=""):
        for name, value in tree.items():
            if isinstance(value, dict):
                yield from places(value, f"{path}{name}.")
            elif name in {"title", "happened", "you", "next", "action_label", "text", "name"}:
                yield f"{path}{name}"

    own, english = (set(places(catalogue.language(each).own)) for each in (locale, "en"))
    assert own == english
    assert len(own) > 170


@pytest.mark.parametrize("locale", CLDR)
def test_every_wait_up_to_three_days_is_grammatical(catalogue, locale):
    words = catalogue.language(locale).durations
    assert words.wait(0) == words.none
    for seconds in chain(
        range(1, 7200), range(7200, 3 * DAY + 1, 61), range(2 * DAY, 999 * DAY, DAY)
    ):
        assert words.wait(seconds) == grammatical(locale, seconds), seconds


@pytest.mark.parametrize(
    ("locale", "seconds", "said"),
    [
        ("de", 0, "Versuchen Sie es in einem Moment noch einmal."),
        ("de", 1, "Versuchen Sie es in 1 Sekunde noch einmal."),
        ("de", 2 * DAY, "Versuchen Sie es in 2 Tagen noch einmal."),
        ("es", 0, "Vuelva a intentarlo dentro de un momento."),
        ("es", 60, "Vuelva a intentarlo dentro de 1 minuto."),
        ("es", 3 * DAY, "Vuelva a intentarlo dentro de 3 días."),
        ("fr", 0, "Réessayez dans un instant."),
        ("fr", 1, "Réessayez dans 1 seconde."),
        ("fr", 5 * 3600, "Réessayez dans 5 heures."),
        ("ja", 0, "少し後にもう一度お試しください。"),
        ("ja", 30, "30秒後にもう一度お試しください。"),
        ("ja", 2 * DAY, "2日後にもう一度お試しください。"),
        ("ar", 0, "يمكنك المحاولة مرة أخرى بعد قليل."),
        ("ar", 1, "يمكنك المحاولة مرة أخرى بعد ثانية واحدة."),
        ("ar", 120, "يمكنك المحاولة مرة أخرى بعد دقيقتين."),
        ("ar", 10, "يمكنك المحاولة مرة أخرى بعد 10 ثوانٍ."),
        ("ar", 11, "يمكنك المحاولة مرة أخرى بعد 11 ثانية."),
        ("ar", 100, "يمكنك المحاولة مرة أخرى بعد 100 ثانية."),
        ("ar", 103, "يمكنك المحاولة مرة أخرى بعد 103 ثوانٍ."),
        ("ar", 2 * DAY, "يمكنك المحاولة مرة أخرى بعد يومين."),
    ],
)
def test_a_wait_fits_its_sentence(catalogue, locale, seconds, said):
    body = catalogue.notice("transient.given_up", locale=locale, seconds=seconds).body
    assert body.endswith(said)


@pytest.mark.parametrize(
    ("locale", "age_seconds", "title"),
    [
        ("de", 3 * 3600, "Gespeicherte Antwort (vor 3 Stunden)"),
        ("de", None, "Gespeicherte Antwort (vor einiger Zeit)"),
        ("es", 2 * DAY, "Respuesta guardada hace 2 días"),
        ("es", 5, "Respuesta guardada hace menos de un minuto"),
        ("fr", 2 * DAY, "Réponse enregistrée il y a 2 jours"),
        ("ja", 3 * 3600, "保存された回答（3時間前）"),
        ("ja", 5, "保存された回答（つい先ほど）"),
        ("ar", 2 * 3600, "إجابة حُفظت قبل ساعتين"),
        ("ar", None, "إجابة حُفظت في وقت سابق"),
    ],
)
def test_an_age_fits_its_title(catalogue, locale, age_seconds, title):
    assert catalogue.notice("cached", locale=locale, age_seconds=age_seconds).title == title


@pytest.mark.parametrize("seconds", [0, 1, 2, 5, 11, 100, 60, 7200, 3 * DAY])
@pytest.mark.parametrize("locale", OTHERS)
def test_nothing_of_another_language_or_script_is_in_the_words(catalogue, locale, seconds):
    script = {"ar": r"[\u0600-\u06ff]", "ja": r"[\u3040-\u30ff\u4e00-\u9fff]"}
    foreign = r"[^\W\d_a-zA-Z\u00c0-\u024f]" if locale not in script else "[a-zA-Z\u00c0-\u024f]"
    for key, text in everything_read(catalogue, locale, seconds, seconds + 60):
        assert not re.search(foreign, text), (key, text)
        assert re.search(script.get(locale, "[a-z]"), text), (key, text)
        assert not re.search(r"[{}]|\s\s|^\s|\s$", text), (key, text)


@pytest.mark.parametrize("locale", OTHERS)
def test_no_sentence_is_as_in_english(catalogue, locale):
    english = {text for _, text in everything_read(catalogue, "en")}
    assert not english & {text for _, text in everything_read(catalogue, locale)}


@pytest.mark.parametrize("locale", CLDR)
def test_no_character_turns_the_direction_of_what_follows(catalogue, locale):
    for key, text in everything_read(catalogue, locale):
        assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", text), (key, text)


@pytest.mark.parametrize("locale", CLDR)
def test_a_sentence_ends_as_sentences_do(catalogue, locale):
    for key in catalogue.keys:
        body = catalogue.notice(key, locale=locale).body
        assert body.endswith("。" if locale == "ja" else "."), (key, body)


@pytest.mark.parametrize("locale", CLDR)
@pytest.mark.parametrize("key", RETRYING)
def test_what_is_still_trying_says_so_and_what_gave_up_does_not(catalogue, key, locale):
    assert still_trying(catalogue.notice(key, locale=locale).body, language=locale)
    given_up = key.replace(".retrying", ".given_up")
    if given_up != key:
        assert not still_trying(catalogue.notice(given_up, locale=locale).body, language=locale)


# The word for what the person can do, in the sentence and on the button.
VERBS = {
    "de": {"retry": "noch einmal|erneut", "contact_support": "support"},
    "es": {
        "retry": "intentarlo|preguntar|de nuevo",
        "contact_support": "soporte",
    },
    "fr": {
        "retry": "r[ée]essay|reposez|renvoy",
        "contact_support": "support",
    },
    "ja": {"retry": "もう一度", "contact_support": "サポート"},
    "ar": {"retry": "مرة أخرى", "contact_support": "الدعم"},
}


@pytest.mark.parametrize("locale", OTHERS)
def test_what_gave_up_tells_the_action_that_its_button_does(catalogue, locale):
    seen = set()
    for key in catalogue.keys:
        notice = catalogue.notice(key, locale=locale)
        verb = VERBS[locale].get(notice.primary_action_type)
        if verb and not key.endswith(".retrying"):
            seen.add(notice.primary_action_type)
            text = f"{notice.body} {notice.primary_action_label}"
            assert re.search(verb, text, re.IGNORECASE), (key, text)
    assert seen == {"retry", "contact_support"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Es gab einen Serverfehler."),
        ("de", "Die Zeitüberschreitung war schuld."),
        ("de", "Statuscode unbekannt"),
        ("de", "Ein interner Fehler"),
        ("es", "Hubo un error del servidor."),
        ("es", "Se agotó el tiempo de espera."),
        ("es", "Límite de solicitudes superado"),
        ("fr", "Une erreur du serveur"),
        ("fr", "Le délai d’attente est dépassé."),
        ("fr", "Erreur d'authentification"),
        ("ja", "サーバーエラーが発生しました。"),
        ("ja", "APIの制限です。"),
        ("ja", "タイムアウトしました。"),
        ("ja", "クロードは混み合っています。"),
        ("ja", "エラー５２９です。"),
        ("ja", "エラー529です。"),
        ("ar", "حدث خطأ في الخادم."),
        ("ar", "انتهت مهلة الاتصال."),
        ("ar", "مشكلة في الـAPI."),
        ("ar", "خطأ ٥٢٩"),
        ("ar", "كلود مشغول الآن."),
    ],
)
def test_jargon_is_refused_in_the_language_it_is_jargon_in(language, text):
    assert list(unfit_words(text, language=language))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Alle Schlüsse und Küsse im Internet"),
        ("es", "Alguien llama a la puerta."),
        ("fr", "Des propos cohérents"),
        ("pt", "O servidor caiu."),
    ],
)
def test_everyday_words_are_left_alone(language, text):
    assert not list(unfit_words(text, language=language))


def test_english_left_in_another_language_is_refused(write):
    folder = write("de.toml", '[notices.minimal]\nyou = "You did nothing wrong."')
    [problem] = check(Catalogue.load(folder))
    assert str(problem) == ("de: minimal.you: is the English text; write it in this language")


def test_who_changes_only_the_english_words_need_not_change_the_others(write):
    assert check(Catalogue.load(write("en.toml", '[notices.minimal]\nnext = "Come back."'))) == []


def test_a_notice_that_gave_up_may_not_say_in_any_language_that_it_tries(write):
    folder = write("ja.toml", '[notices.timeout.given_up]\nnext = "もう一度試しています。"')
    [problem] = check(Catalogue.load(folder))
    assert (problem.locale, problem.key) == ("ja", "timeout.given_up")
    assert "'試してい'" in problem.what


@pytest.mark.parametrize(
    ("locale", "way"),
    [
        ("ar", "rtl"),
        ("ar-EG", "rtl"),
        ("AR_eg", "rtl"),
        ("he", "rtl"),
        ("fa-IR", "rtl"),
        ("az-Arab", "rtl"),
        ("ur-Latn-PK", "ltr"),
        ("en", "ltr"),
        ("ja", "ltr"),
        ("de-1996", "ltr"),
        ("", "ltr"),
        ("arn", "ltr"),
    ],
)
def test_the_direction_a_page_needs(locale, way):
    assert direction(locale) == way
