"""A blocking client that is dropped without being closed takes its thread with it."""

import threading

from server_kit import FakeProvider

from failsoft import BlockingFailsoft, Settings
from failsoft.config.settings import CacheSettings


def threads():
    return [each for each in threading.enumerate() if each.name == "failsoft"]


def test_a_dropped_client_ends_its_thread(tmp_path):
    before = threads()
    settings = Settings(data_dir=str(tmp_path), cache=CacheSettings(enabled=False))
    ai = BlockingFailsoft(settings, providers={"anthropic": FakeProvider(("Hi.",))})
    assert ai.ask("Hi").text == "Hi."
    (mine,) = [each for each in threads() if each not in before]
    del ai
    mine.join(20)
    assert not mine.is_alive()
