"""Who lives: by the lock on this host, by the heartbeat elsewhere."""

import errno
import fcntl
import os
import subprocess
import sys
from functools import partial

import pytest

from failsoft.request_log.process_lock import Owner, locks, remove_stale_lock
from failsoft.request_log.process_lock import lives as lives_after
from failsoft.storage.times import StoreTimes

DEAD = StoreTimes().dead
LONG = DEAD + 1
lives = partial(lives_after, dead=DEAD)


@pytest.fixture
def owner(tmp_path):
    owner = Owner(tmp_path)
    owner.hold()
    yield owner
    owner.release()


def test_an_owner_lives_as_long_as_it_holds_its_lock(owner, tmp_path):
    assert locks(tmp_path) == {owner.name}
    assert lives(tmp_path, owner.name, LONG)
    owner.release()
    assert not lives(tmp_path, owner.name, 0.0)
    owner.leave()
    assert locks(tmp_path) == set()


def test_a_free_lock_is_a_dead_owners_at_once(owner, tmp_path):
    fcntl.flock(owner._fd, fcntl.LOCK_UN)
    assert not lives(tmp_path, owner.name, 0.0)
    remove_stale_lock(tmp_path, owner.name)
    assert locks(tmp_path) == set()


@pytest.mark.parametrize(("silent", "alive"), [(0.0, True), (LONG, False)])
def test_without_a_lock_file_the_heartbeat_tells(owner, tmp_path, silent, alive):
    remove_stale_lock(tmp_path, owner.name)
    assert lives(tmp_path, owner.name, silent) is alive
    owner.hold()
    assert lives(tmp_path, owner.name, LONG)


@pytest.mark.parametrize(("silent", "alive"), [(0.0, True), (LONG, False)])
def test_a_lock_that_a_child_holds_for_the_dead_does_not_count_for_ever(tmp_path, silent, alive):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    owner = Owner(tmp_path)
    owner.name = owner.name.replace(f":{os.getpid()}:", f":{gone.pid}:")
    owner._path = tmp_path / f"{owner.name}.lock"
    owner.hold()
    assert lives(tmp_path, owner.name, silent) is alive
    owner.release()


def test_a_file_that_goes_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    owner, flock = Owner(tmp_path), fcntl.flock
    taken = [owner._path]

    def race(fd, operation):
        if taken:
            taken.pop().unlink()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", race)
    owner.hold()
    assert lives(tmp_path, owner.name, LONG)
    owner.release()


def test_where_there_are_no_locks_there_is_no_file(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    owner = Owner(tmp_path)
    owner.hold()
    assert locks(tmp_path) == set()
    assert lives(tmp_path, owner.name, 0.0)
    assert not lives(tmp_path, owner.name, LONG)
    owner.release()
