"""``failsoft cache``: what is saved, and how to be rid of it."""

from __future__ import annotations

import pytest

from failsoft.ladder.cache.cache import Partition, SemanticCache

PLACE = ".failsoft/cache.db"


@pytest.fixture
def saved(tmp_path):
    where = Partition(scope="public", shared=True, route="help", context="", history="")
    with SemanticCache(tmp_path / PLACE, embedder=None) as cache:
        for question, tenant, user in (
            ("Where is\nmy \x1b[31morder?", "acme", "ada"),
            ("When are you open?", "acme", "bob"),
            ("Who are you?", "other", "ada"),
        ):
            cache.keep(where, question, "So.", locale="en", tenant=tenant, user=user)


def questions(ended):
    return {line.split("  ")[-1] for line in ended.out.splitlines()}


@pytest.mark.parametrize("command", ["stats", "list", "delete"])
def test_where_nothing_is_saved_it_says_so_and_makes_no_file(invoke, tmp_path, command):
    ended = invoke("cache", command)
    assert (ended.code, ended.out, ended.err) == (0, f"No answers are saved in {PLACE}.\n", "")
    assert not (tmp_path / ".failsoft").exists()


@pytest.mark.usefixtures("saved")
def test_stats(invoke):
    ended = invoke("cache", "stats")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"Answers saved in {PLACE}: 3 (partitions: 1, size: 0.0 MB).\n"


@pytest.mark.usefixtures("saved")
def test_a_list_has_a_line_an_answer(invoke):
    ended = invoke("cache", "list")
    assert ended.code == 0
    assert questions(ended) == {"Where is my [31morder?", "When are you open?", "Who are you?"}
    assert all("  public  help  " in line for line in ended.out.splitlines())


@pytest.mark.usefixtures("saved")
def test_a_list_is_of_one_tenant_or_user(invoke):
    assert questions(invoke("cache", "list", "--tenant", "other")) == {"Who are you?"}
    theirs = invoke("cache", "list", "--tenant", "acme", "--user", "bob")
    assert questions(theirs) == {"When are you open?"}
    assert len(invoke("cache", "list", "--limit", "1").out.splitlines()) == 1
    nobody = invoke("cache", "list", "--tenant", "nobody")
    assert nobody.out == f"No answers for tenant nobody are saved in {PLACE}.\n"


@pytest.mark.usefixtures("saved")
def test_a_deletion_asks_first(invoke):
    ended = invoke("cache", "delete", "--tenant", "acme", "--user", "ada", stdin="n\n")
    assert ended.code == 2
    assert f"Delete all saved answers for tenant acme, user ada from {PLACE}?" in ended.err
    assert "nothing was deleted: answer y, or give --yes" in ended.err
    assert "nothing was deleted" in invoke("cache", "delete").err
    assert len(invoke("cache", "list").out.splitlines()) == 3
    ended = invoke("cache", "delete", "--tenant", "acme", stdin="y\n")
    assert (ended.code, ended.out) == (
        0,
        f"2 saved answers for tenant acme deleted from {PLACE}.\n",
    )
    assert questions(invoke("cache", "list")) == {"Who are you?"}


@pytest.mark.usefixtures("saved")
def test_a_deletion_that_is_not_to_ask(invoke):
    ended = invoke("cache", "delete", "--yes")
    assert (ended.code, ended.out) == (0, f"3 saved answers deleted from {PLACE}.\n")


def test_a_file_that_cannot_be_read_is_told_in_one_line(invoke, tmp_path):
    (tmp_path / PLACE).mkdir(parents=True)
    ended = invoke("cache", "stats")
    assert ended.code == 2
    assert "a directory is in its place: move it away" in ended.err
    assert len(ended.err.splitlines()) == 1
