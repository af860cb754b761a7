"""Processes that were forked from one parent with its log already made."""

import os

from failsoft.requests.owners import Owner
from failsoft.requests.shared.log import RedisLog


def in_child(work):
    """What ``work`` says in a forked process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, work().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        told = said.read()
    os.waitpid(child, 0)
    return told


def test_each_has_a_name_and_a_lock_of_its_own(tmp_path):
    owner = Owner(tmp_path / "owners")
    owner.hold()

    def child():
        owner.hold()  # would wait for its parent for ever
        return owner.name

    names = {owner.name, in_child(child), in_child(child)}
    assert len(names) == 3
    owner.release()


def test_so_has_each_in_redis():
    log = RedisLog("redis://127.0.0.1:1")
    names = {log._owner, in_child(lambda: log._owner), in_child(lambda: log._owner)}
    assert len(names) == 3
