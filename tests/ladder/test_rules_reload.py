"""A folder of rules changes while it is in use, and no slip in it takes an answer away."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manual_clock import ManualClock
from rules_kit import name_of, write

from failsoft import RuleBook, RuleFolderError

LOST = "Is my document lost?"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def book(tmp_path, clock, said):
    write(tmp_path, "lost", "No.", questions=[LOST])
    return RuleBook(tmp_path, clock=clock, report=lambda problem: said.append(str(problem)))


def settle():
    """Wait for whoever looks at a folder now."""
    for thread in threading.enumerate():
        if thread.name == "failsoft-rules":
            thread.join()


def text_of(book):
    found = book.match(LOST)
    return None if found is None else found.text


def test_a_change_is_in_force_after_two_seconds_of_use(book, clock, tmp_path):
    write(tmp_path, "lost", "Never.", questions=[LOST])
    clock.now += 1.9
    assert text_of(book) == "No."
    settle()
    assert text_of(book) == "No."
    clock.now += 0.2
    book.match(LOST)
    settle()
    assert text_of(book) == "Never."


async def test_who_waits_is_not_given_what_was_taken_back(book, clock, tmp_path):
    (tmp_path / "lost.md").unlink()
    await book.refresh()
    assert text_of(book) is not None  # it was looked at a moment ago
    clock.now += 3600
    await book.refresh()
    assert text_of(book) is None


async def test_a_disk_that_hangs_is_not_waited_for(book, clock, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(book, "reload", release.wait)
    clock.now += 2
    async with asyncio.timeout(5):
        await book.refresh()
    release.set()
    assert text_of(book) is not None


def test_looking_happens_in_a_thread_of_its_own_and_once(book, clock, monkeypatch):
    looked = []
    monkeypatch.setattr(book, "reload", lambda: looked.append(threading.current_thread()))
    clock.now += 2
    for _ in range(3):
        book.match(LOST)
    settle()
    assert [thread is threading.current_thread() for thread in looked] == [False]


def test_a_changed_file_of_the_same_size_is_seen_by_its_time(book, tmp_path):
    path = write(tmp_path, "lost", "Ha.", questions=[LOST])
    os.utime(path, ns=(1, 1))
    book.reload()
    assert text_of(book) == "Ha."


def test_a_new_file_counts_and_a_deleted_one_goes_away(book, tmp_path):
    write(tmp_path, "more/fax", questions=["What is your fax number?"])
    book.reload()
    assert name_of(book, "What is your fax number?") == "more/fax"
    (tmp_path / "lost.md").unlink()
    book.reload()
    assert book.match(LOST) is None


def test_a_bad_file_keeps_its_last_good_version_and_takes_no_other_down(book, tmp_path, said):
    write(tmp_path, "fax", "2", questions=["What is your fax number?"])
    bad = write(tmp_path, "lost", "Never.", questions=[LOST], colour="red")
    for _ in range(3):
        book.reload()
    assert text_of(book) == "No."
    assert name_of(book, "What is your fax number?") == "fax"
    (line,) = said
    assert line.startswith(f"{bad}:4: has 'colour', which no rule has, use one of")
    write(tmp_path, "lost", "Mended.", questions=[LOST])
    book.reload()
    assert text_of(book) == "Mended."
    assert len(said) == 1


def test_a_bad_file_from_the_start_is_told_and_left_out(tmp_path, caplog):
    write(tmp_path, "lost", questions=[LOST])
    (tmp_path / "bad.md").write_text("Only text.", encoding="utf-8")
    assert name_of(RuleBook(tmp_path), LOST) == "lost"
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"{tmp_path / 'bad.md'}:1: does not begin with a line ---" in record.message


def test_an_unreadable_file_is_tried_again(book, tmp_path, said, monkeypatch):
    whole = Path.open

    def refuse(path, *arguments, **options):
        if path.name == "lost.md":
            raise PermissionError(13, "Permission denied")
        return whole(path, *arguments, **options)

    write(tmp_path, "lost", "Never.", questions=[LOST])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        book.reload()
        book.reload()
    assert text_of(book) == "No."
    assert said == [
        f"{tmp_path / 'lost.md'}:1: cannot be read (Permission denied), check that it may be read"
    ]
    book.reload()
    assert text_of(book) == "Never."


def test_a_folder_that_goes_away_keeps_its_rules(book, tmp_path, said):
    aside = tmp_path.rename(tmp_path.with_name("aside"))
    book.reload()
    book.reload()
    assert text_of(book) == "No."
    (line,) = said
    assert line == (
        f"{tmp_path}:1: cannot be read (No such file or directory), "
        "bring the folder back; its rules stay in force"
    )
    aside.rename(tmp_path)
    (tmp_path / "lost.md").unlink()
    book.reload()
    assert text_of(book) is None


def test_a_fault_while_looking_leaves_all_as_it_was(book, tmp_path, caplog, monkeypatch):
    write(tmp_path, "lost", "Never.", questions=[LOST])
    with monkeypatch.context() as patch:
        patch.setattr(book, "_arranged", lambda: 1 / 0)
        book.reload()
    assert text_of(book) == "No."
    assert "stay as they were" in caplog.text
    book.reload()
    assert text_of(book) == "Never."


@pytest.mark.parametrize("name", ["none", "file"])
def test_no_such_folder_is_said_at_once(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(RuleFolderError, match=rf"{name}: cannot be read .*make it a folder of"):
        RuleBook(tmp_path / name)


@pytest.mark.parametrize("name", ["README", "_draft", ".hidden", "_old/lost", ".git/lost"])
def test_files_that_are_no_rules(tmp_path, name):
    write(tmp_path, name, questions=[LOST])
    assert RuleBook(tmp_path).match(LOST) is None


def test_a_linked_file_is_read_as_it_changes(tmp_path):
    """Mounted settings are links that are turned to a new folder."""
    rules = tmp_path / "rules"
    write(tmp_path / "one", "lost", "One.", questions=[LOST])
    write(tmp_path / "two", "lost", "Two, later.", questions=[LOST])
    rules.mkdir()
    (rules / "..data").symlink_to(tmp_path / "one")
    (rules / "lost.md").symlink_to(rules / "..data" / "lost.md")
    book = RuleBook(rules)
    assert text_of(book) == "One."
    (rules / "..data").unlink()
    (rules / "..data").symlink_to(tmp_path / "two")
    book.reload()
    assert text_of(book) == "Two, later."


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_content_of_a_neighbour_disturbs_a_rule(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("rules")
    write(folder, "lost", "No.", questions=[LOST])
    book = RuleBook(folder, report=str)
    for content in contents:
        (folder / "next.md").write_bytes(b"---\n" + content)
        book.reload()
        assert text_of(book) == "No."
    assert text_of(RuleBook(folder, report=str)) == "No."


def test_matching_while_others_change_and_look(book, tmp_path):
    def change():
        for number in range(30):
            write(tmp_path, "lost", f"Answer {number}.", questions=[LOST])
            book.reload()

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert name_of(book, "are my documents lost") == name_of(book, LOST) == "lost"
    assert text_of(book) == "Answer 29."
