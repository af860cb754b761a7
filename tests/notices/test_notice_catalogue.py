"""Loading, overriding and reading again."""

import doctest
import os
import threading
from pathlib import Path

import pytest
from manual_clock import ManualClock

from failsoft.errors import NoticeFileError
from failsoft.notices import Catalogue
from failsoft.notices import catalogue as module

SHIPPED = ("ar", "de", "en", "es", "fr", "ja")
TITLE = '[notices.minimal]\ntitle = "{}"'


@pytest.fixture
def clock():
    return ManualClock()


def title(catalogue, **kwargs):
    return catalogue.notice("minimal", **kwargs).title


def test_the_example_in_its_documentation_runs():
    assert doctest.testmod(module).failed == 0


def test_an_override_changes_only_the_keys_it_has(write, catalogue):
    changed = Catalogue.load(write("en.toml", TITLE.format("Back soon")))
    assert title(changed) == "Back soon"
    assert changed.notice("minimal").body == catalogue.notice("minimal").body
    assert all(
        changed.notice(key) == catalogue.notice(key) for key in catalogue.keys if key != "minimal"
    )


def test_a_folder_may_be_named_by_a_string(write):
    assert title(Catalogue.load(str(write("en.toml", TITLE.format("Back soon"))))) == "Back soon"


def test_a_fact_of_english_holds_in_every_language(write):
    write("en.toml", '[notices.minimal]\nseverity = "error"')
    notice = Catalogue.load(write("nl.toml", TITLE.format("Geen antwoord"))).notice(
        "minimal", locale="nl"
    )
    assert (notice.title, notice.severity, notice.locale) == ("Geen antwoord", "error", "nl")


def test_a_region_stands_on_its_language_and_that_on_english(write):
    write("nl.toml", TITLE.format("Geen antwoord") + '\n[notices.rule]\ntitle = "Vast antwoord"')
    loaded = Catalogue.load(write("nl-BE.toml", TITLE.format("Geen antwoord nu")))
    assert set(loaded.locales) - set(SHIPPED) == {"nl", "nl-be"}
    assert title(loaded, locale="nl-BE") == "Geen antwoord nu"
    assert loaded.notice("rule", locale="nl-BE").title == "Vast antwoord"
    assert loaded.notice("saved", locale="nl-BE").title == Catalogue.load().notice("saved").title


def test_plural_forms_are_the_languages_own(write):
    arabic = """
[durations]
none = "الآن"
recent = "الآن"
past = "قبل {time}"
unknown = "سابقا"
second = { two = "ثانيتان", few = "{n} ثوان", many = "{n} ثانية", other = "{n} ثانية" }
minute = { two = "دقيقتان", few = "{n} دقائق", many = "{n} دقيقة", other = "{n} دقيقة" }
hour = { two = "ساعتان", few = "{n} ساعات", many = "{n} ساعة", other = "{n} ساعة" }
day = { two = "يومان", few = "{n} أيام", many = "{n} يوما", other = "{n} يوم" }
[durations.plurals]
two = { from = 2, to = 2 }
few = { from = 3, to = 10, modulo = 100 }
many = { from = 11, to = 99, modulo = 100 }
"""
    words = Catalogue.load(write("ar.toml", arabic)).language("ar").durations
    assert words.wait(2) == "ثانيتان"
    assert words.wait(103) == "103 ثوان"
    assert words.wait(111) == "111 ثانية"
    assert words.age(7200) == "قبل ساعتان"


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("[notices", "", "is not TOML"),
        ("[notices.minimal]\ntitle = 3", "notices.minimal.title", "text in quotes; it is 3"),
        (
            "[notices.minimal]\nseverity = 'loud'",
            "notices.minimal.severity",
            "info, warning, error",
        ),
        ("[notices.minimal]\naction = 'run'", "notices.minimal.action", "retry, edit_input"),
        ("[notices.minimal]\ncountdown_seconds = -1", "countdown_seconds", "0 or more; it is -1"),
        ("[notices.minimal]\ncountdown_seconds = 1.5", "countdown_seconds", "whole number"),
        ("[notices.minimal]\nstatus_link = 'no'", "status_link", "true or false; it is 'no'"),
        ("[notices.minimal]\nsuggest = ['go']", "notices.minimal.suggest", "try_again"),
        ("[notices.minimal]\nsuggest = []", "notices.minimal.suggest", "at least one"),
        ("[notices.minimal]\nnext = '{when}'", "notices.minimal.next", "use only: {time}{age}"),
        ("[notices.minimal]\nnext = '{time'", "notices.minimal.next", "use only: {time}{age}"),
        ("[notices.minimal]\nnext = '{time.real}'", "notices.minimal.next", "not known"),
        ("[actions.help]\nlink = 'shop'", "actions.help.link", "help, status_page, history"),
        ("[actions.new]\nlink = 'help'", "actions.new.text", "it is missing"),
        ("[durations]\nnone = 'now'", "durations.day.other", "it is missing"),
        ("[durations.plurals]\none = 1", "durations.plurals.one", "a table of keys; it is 1"),
        ("notices = 'none'", "notices", "a table of keys; it is 'none'"),
        ("[notices]\nminimal = 'x'", "notices.minimal", "a table of keys; it is 'x'"),
    ],
)
def test_an_error_names_the_file_the_key_and_the_remedy(write, text, place, remedy):
    with pytest.raises(NoticeFileError) as caught:
        Catalogue.load(write("nl.toml", text))
    message = str(caught.value)
    assert "nl.toml" in message
    assert place in message
    assert remedy in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["read me.toml", "notices.toml", "e.toml"])
def test_a_file_not_named_after_a_language_is_told(write, name):
    with pytest.raises(NoticeFileError, match=r"name it like en\.toml"):
        Catalogue.load(write(name, ""))


def test_bytes_that_are_not_utf8_are_told(tmp_path):
    (tmp_path / "en.toml").write_bytes(b'x = "\xff"')
    with pytest.raises(NoticeFileError, match="not TOML in UTF-8"):
        Catalogue.load(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NoticeFileError, match="make it a folder"):
        Catalogue.load(tmp_path / "none")


def test_other_files_in_the_folder_are_left_alone(write):
    assert Catalogue.load(write("README.md", "Words live here.")).locales == SHIPPED


def test_a_change_is_read_after_a_second_and_not_before(write, clock):
    folder = write("en.toml", TITLE.format("One"))
    loaded = Catalogue.load(folder, clock=clock)
    write("en.toml", TITLE.format("Two!"))
    clock.now += 0.99
    assert title(loaded) == "One"
    clock.now += 0.01
    assert title(loaded) == "Two!"


def test_a_change_of_the_same_length_is_seen_by_its_time(write, clock):
    folder = write("en.toml", TITLE.format("One"))
    loaded = Catalogue.load(folder, clock=clock)
    write("en.toml", TITLE.format("Two"))
    os.utime(folder / "en.toml", ns=(1, 1))
    clock.now += 1
    assert title(loaded) == "Two"


def test_a_file_added_or_taken_away_is_seen(write, clock):
    folder = write("en.toml", TITLE.format("One"))
    loaded = Catalogue.load(folder, clock=clock)
    write("nl.toml", TITLE.format("Een"))
    clock.now += 1
    assert title(loaded, locale="nl") == "Een"
    (folder / "en.toml").unlink()
    (folder / "nl.toml").unlink()
    clock.now += 1
    assert title(loaded, locale="nl") == "No answer right now"


def test_a_broken_file_changes_nothing_is_reported_once_and_mended_later(write, clock):
    reported: list[NoticeFileError] = []
    folder = write("en.toml", TITLE.format("One"))
    loaded = Catalogue.load(folder, clock=clock, report=reported.append)
    write("en.toml", "[notices.minimal")
    for _ in range(3):
        clock.now += 1
        assert title(loaded) == "One"
    assert len(reported) == 1
    assert "en.toml" in str(reported[0])
    write("en.toml", TITLE.format("Mended"))
    clock.now += 1
    assert title(loaded) == "Mended"
    assert len(reported) == 1


def test_a_folder_that_vanishes_changes_nothing(write, clock):
    reported: list[NoticeFileError] = []
    folder = write("en.toml", TITLE.format("One"))
    loaded = Catalogue.load(folder, clock=clock, report=reported.append)
    (folder / "en.toml").unlink()
    folder.rmdir()
    for _ in range(2):
        clock.now += 1
        assert title(loaded) == "One"
    assert len(reported) == 1


def test_what_is_wrong_is_logged_where_nobody_asked_for_it(write, clock, caplog):
    folder = write("en.toml", TITLE.format("One"))
    loaded = Catalogue.load(folder, clock=clock)
    write("en.toml", "[broken")
    clock.now += 1
    assert title(loaded) == "One"
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "en.toml: is not TOML" in record.getMessage()


def test_the_folder_is_not_looked_at_more_than_once_a_second(write, clock, monkeypatch):
    loaded = Catalogue.load(write("en.toml", TITLE.format("One")), clock=clock)
    looks = 0
    real = module._snapshot

    def counted(folder: Path | None):
        nonlocal looks
        looks += 1
        return real(folder)

    monkeypatch.setattr(module, "_snapshot", counted)
    for _ in range(40):
        clock.now += 0.25
        title(loaded)
    assert looks == 10


def test_threads_see_whole_notices_while_files_change(write, clock):
    folder = write("en.toml", TITLE.format("0"))
    loaded = Catalogue.load(folder, clock=clock)
    seen: set[str] = set()
    failures: list[BaseException] = []
    stop = threading.Event()

    def read():
        try:
            while not stop.is_set():
                seen.add(title(loaded))
        except BaseException as error:  # noqa: BLE001  told to the test
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(1, 8):
        (folder / "next").write_text(TITLE.format("x" * n))
        (folder / "next").replace(folder / "en.toml")
        clock.now += 1
        title(loaded)
    stop.set()
    for reader in readers:
        reader.join()
    clock.now += 1
    assert failures == []
    assert seen <= {"0", *("x" * n for n in range(1, 8))}
    assert title(loaded) == "x" * 7


def test_a_key_that_is_not_there_is_a_key_error(catalogue):
    with pytest.raises(KeyError, match="no_such"):
        catalogue.notice("no_such")
