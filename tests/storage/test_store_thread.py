"""A thread around a store: batches, outages, the end. And what it reports."""

import sqlite3
import time
from contextlib import closing
from queue import Empty, SimpleQueue

import pytest

from failsoft.ladder.cache import cache_file
from failsoft.request_log import sqlite_schema
from failsoft.storage.outages import NewerSchemaError, explain
from failsoft.storage.store_thread import StoreThread
from failsoft.storage.times import StoreTimes

IMPATIENT = StoreTimes(retry=0.01)


class Store:
    """Keeps words; what is in ``trouble`` is raised when it is written."""

    which = None

    def __init__(self, words, trouble):
        self.words, self.trouble = words, trouble
        self.batches = []

    def write(self, words):
        self.batches.append(list(words))
        for word in words:
            if error := self.trouble.get(word):
                raise error
        self.words += words

    def close(self):
        pass


class Thread(StoreThread):
    """Writes the words that are put in."""

    def __init__(self, path):
        super().__init__("word_list", path, clock=time.time, times=IMPATIENT)
        self.inbox, self.waiting = SimpleQueue(), []
        self.words, self.trouble, self.refused, self.opened = [], {}, [], []

    def put(self, *words):
        for word in words:
            self.inbox.put(word)

    def close(self):
        self._closing = True
        self.put("")
        self._thread.join()

    def _open(self):
        if error := self.trouble.get("open"):
            raise error
        self.opened.append(Store(self.words, self.trouble))
        return self.opened[-1]

    def _take(self, seconds):
        try:
            self.waiting.append(self.inbox.get(timeout=10 if seconds is None else seconds))
            while True:
                self.waiting.append(self.inbox.get_nowait())
        except Empty:
            pass

    def _work(self, store, _now):
        if self.waiting:
            self._batch(store, self.waiting[:])
        self._health.works()

    def _commit(self, store, items):
        store.write(items)

    def _settle(self, items, _results):
        del self.waiting[: len(items)]

    def _refuse(self, _store, _item, _error):
        self.refused.append(self.waiting.pop(0))

    def _put_off(self):
        pass

    def _replace(self):
        return False

    def _finish(self):
        self._turn()


@pytest.fixture
def thread(tmp_path):
    return Thread(tmp_path / "words.db")


def test_what_is_asked_together_is_committed_together(thread):
    thread.put("a", "b", "c")
    thread.start()
    thread.close()
    assert thread.words[:3] == ["a", "b", "c"]
    assert thread.opened[0].batches[0][:3] == ["a", "b", "c"]


def test_of_a_batch_only_what_cannot_be_written_is_refused(thread):
    thread.trouble["b"] = ValueError("no word")
    thread.put("a", "b", "c")
    thread.start()
    thread.close()
    assert [word for word in thread.words if word] == ["a", "c"]
    assert thread.refused == ["b"]
    assert thread.status.up


def test_an_outage_closes_the_store_and_nothing_that_waits_is_lost(thread):
    class Once(dict):
        def get(self, word):
            return self.pop(word, None)

    thread.trouble = Once(open=OSError("gone"), b=OSError("gone"))
    thread.put("a", "b")
    thread.start()
    while len(thread.words) < 2:
        time.sleep(0.001)
    thread.close()
    assert [word for word in thread.words if word] == ["a", "b"]
    assert len(thread.opened) == 2
    assert thread.status.up


def test_the_line_for_the_operator_names_the_store(thread, tmp_path):
    thread.trouble["open"] = OSError("gone")
    thread.start()
    thread.close()
    assert thread.status.name == "word_list"
    assert thread.status.problem.startswith(f"word list {tmp_path / 'words.db'}: cannot be used")


@pytest.mark.parametrize(
    ("prepare", "known"), [(cache_file.prepare, 1), (sqlite_schema.prepare, 2)]
)
def test_a_file_of_a_later_version_is_reported_with_the_version_of_its_store(
    prepare, known, tmp_path
):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA user_version = 99")
        with pytest.raises(NewerSchemaError) as caught:
            prepare(connection)
    line = explain(caught.value, tmp_path / "s.db", "the store", lock_wait=2.0)
    assert line.startswith(f"the store {tmp_path / 's.db'}: written by a later version")
    assert f"(schema 99, this one knows {known})" in line
