"""Processes that were forked from one parent with its log already made."""

from forked import fork

from failsoft.request_log.process_lock import Owner
from failsoft.request_log.redis_log import RedisLog


def test_each_has_a_name_and_a_lock_of_its_own(tmp_path):
    owner = Owner(tmp_path / "owners")
    owner.hold()

    def child():
        owner.hold()  # would wait for its parent for ever
        return owner.name

    names = {owner.name, fork(child)(), fork(child)()}
    assert len(names) == 3
    owner.release()


def test_so_has_each_in_redis():
    log = RedisLog("redis://127.0.0.1:1")
    names = {log._owner, *(fork(lambda: log._owner)() for _ in range(2))}
    assert len(names) == 3
