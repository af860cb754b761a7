"""What every cache of answers promises, as tests to run against any."""

import asyncio

import pytest
from cache_kit import ALIKE, ASKED, OTHER, Words, found, keep, look, partition, until


class CacheContract:
    """To inherit from, with a fixture ``another``: a started cache on the same store.

    ``clock`` is the clock of all of them.
    """

    @pytest.fixture
    async def cache(self, another):
        return await another()

    @pytest.fixture
    async def sibling(self, another):
        return await another()

    async def test_nothing_is_found_where_nothing_was_kept(self, cache):
        assert await look(cache) is None

    async def test_the_same_question_is_found_at_once(self, cache, clock):
        keep(cache)
        clock.now += 90
        hit = await look(cache)
        assert (hit.response, hit.age_seconds, hit.question) == ("Here.", 90, ASKED)
        assert (hit.similarity, hit.exact) == (1.0, True)

    async def test_all_that_was_kept_just_before_is_found(self, cache):
        for number in range(50):
            keep(cache, f"It is {number}.", question=f"What is the price of parcel {number}?")
        assert await found(cache, "What is the price of parcel 49?") == "It is 49."

    async def test_case_spacing_and_marks_at_the_ends_make_no_difference(self, cache):
        keep(cache)
        assert (await look(cache, "  how do I  RESET my password ")).exact

    async def test_a_question_that_asks_the_same_is_found_where_it_is_shared(self, cache):
        keep(cache)
        hit = await look(cache, ALIKE)
        assert (hit.response, hit.question, hit.exact) == ("Here.", ASKED, False)
        assert 0.7 < hit.similarity < 1

    async def test_only_the_same_is_found_where_it_is_not_shared(self, cache):
        keep(cache, partition=partition(shared=False))
        assert await found(cache, shared=False) == "Here."
        assert await look(cache, ALIKE, shared=False) is None

    async def test_what_a_guard_tells_apart_is_not_found_however_near(self, cache):
        keep(cache, question="How do I open my account in the app?")
        assert await look(cache, "How do I close my account in the app?") is None

    async def test_the_nearest_that_no_guard_tells_apart_is_found(self, cache):
        for number in range(4):
            keep(cache, f"Not {number}.", question=f"How can I reset {number + 2} passwords")
        keep(cache)
        assert await found(cache, ALIKE) == "Here."

    @pytest.mark.parametrize(("nearer", "response"), [(4, "Here."), (5, None)])
    async def test_five_are_looked_at(self, cache, nearer, response):
        for number in range(nearer):
            keep(cache, f"Not {number}.", question=f"{ALIKE} {number + 2}")
        keep(cache)
        assert await found(cache, ALIKE) == response

    async def test_the_latest_answer_to_a_question_is_found(self, cache):
        keep(cache, "Old.")
        keep(cache, "New.")
        assert [await found(cache), await found(cache, ALIKE)] == ["New.", "New."]
        assert (await asyncio.to_thread(cache.stats)).entries == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"scope": "tenant other"},
            {"scope": "user acme/ada"},
            {"shared": False},
            {"route": "help"},
            {"context": "d"},
            {"history": "h"},
            {"locale": "de"},
        ],
    )
    async def test_nothing_crosses_a_partition(self, cache, other):
        keep(cache)
        assert await look(cache, **other) is None
        assert await look(cache, ALIKE, **other) is None

    async def test_a_language_is_one_in_all_its_countries(self, cache):
        keep(cache, locale="en-US")
        assert await found(cache, locale="EN_gb") == "Here."

    async def test_an_answer_lives_for_a_day_from_when_it_was_given(self, cache, clock):
        keep(cache)
        clock.now += 86_400 - 1
        assert await found(cache) == "Here."
        clock.now += 2
        assert await look(cache) is None
        assert await look(cache, ALIKE) is None

    async def test_a_clock_set_back_makes_no_answer_live_longer(self, cache, clock):
        keep(cache)
        assert await found(cache) == "Here."
        clock.now -= 3600
        assert await look(cache) is None
        assert await look(cache, ALIKE) is None

    async def test_others_find_it_too(self, cache, sibling):
        assert await look(sibling, ALIKE) is None  # it has a matrix of what there is
        keep(cache)
        assert await found(cache) == "Here."
        assert [await found(sibling), await found(sibling, ALIKE)] == ["Here.", "Here."]

    async def test_what_another_replaces_is_replaced(self, cache, sibling):
        keep(cache, "Old.")
        assert await found(sibling) in {None, "Old."}
        assert await found(cache, ALIKE) == "Old."
        keep(sibling, "New.")
        assert await found(sibling) == "New."
        assert await found(cache, ALIKE) == "New."

    async def test_vectors_of_another_embedder_are_not_compared(self, another):
        old = await another(embedder=Words("words 0"))
        keep(old)
        assert await found(old, ALIKE) == "Here."
        new = await another(embedder=Words("words 1"))
        assert await look(new, ALIKE) is None
        assert await found(new) == "Here."

    async def test_without_an_embedder_the_same_is_found(self, another):
        cache = await another(embedder=None)
        keep(cache)
        assert await found(cache) == "Here."
        assert await look(cache, ALIKE) is None

    async def test_a_threshold_of_ones_own(self, another):
        strict = await another(threshold=0.99)
        keep(strict)
        assert await look(strict, ALIKE) is None

    async def test_a_partition_keeps_so_many_and_the_oldest_go(self, another):
        cache = await another(max_entries=3)
        for number in range(5):
            keep(cache, str(number), question=f"What is number {number}?")
        keep(cache, "other", partition=partition(route="other"))
        kept = [await found(cache, f"What is number {number}?") for number in range(5)]
        assert kept == [None, None, "2", "3", "4"]
        assert await found(cache, route="other") == "other"

    async def test_what_was_kept_outlives_the_cache(self, another):
        first = await another()
        keep(first)
        await first.aclose()
        second = await another()
        assert await found(second, ALIKE) == "Here."

    async def test_after_the_end_nothing_is_kept_found_or_raised(self, cache):
        await cache.aclose()
        await cache.aclose()
        keep(cache)
        assert await look(cache) is None
        assert not cache.status.up

    async def test_a_tenant_and_a_user_are_deleted_and_nobody_else(self, cache, sibling):
        public = {"scope": "public"}
        for tenant, user in (("a", "ada"), ("a", "bob"), ("b", "ada")):
            question = f"What does {user} of {tenant} see?"
            keep(cache, question=question, tenant=tenant, user=user, partition=partition(**public))
        await self.left(cache, 3)
        assert await asyncio.to_thread(sibling.delete, tenant="a", user="ada") == 1
        await self.left(cache, 2)
        assert await asyncio.to_thread(cache.delete, tenant="a") == 1
        [left] = await asyncio.to_thread(cache.entries)
        assert (left.tenant, left.user) == ("b", "ada")
        assert await look(cache, "What does bob of a see?", **public) is None
        assert await found(cache, "What does ada of b see?", **public) == "Here."

    async def left(self, cache, count):
        async def reached():
            return (await asyncio.to_thread(cache.stats)).entries == count

        await until(reached)

    async def test_what_is_pending_is_deleted_too(self, cache):
        for number in range(100):
            keep(cache, question=f"What is number {number}?", tenant="a")
        assert await asyncio.to_thread(cache.delete, tenant="a") == 100
        assert await asyncio.to_thread(cache.entries) == []

    async def test_what_was_deleted_elsewhere_is_not_found(self, cache, sibling):
        keep(cache, tenant="a")
        assert await found(cache, ALIKE) == "Here."
        await asyncio.to_thread(sibling.delete, tenant="a")
        assert await look(cache, ALIKE) is None

    async def test_a_list_is_of_one_tenant_the_latest_first(self, cache, clock):
        keep(cache, question="First?", tenant="a", user="ada")
        keep(cache, question="Not yours?", tenant="b", user="ada")
        clock.now += 10
        keep(cache, question="Second?", tenant="a", user="bob")
        await self.left(cache, 3)
        listed = await asyncio.to_thread(cache.entries, tenant="a")
        assert [(one.question, one.age_seconds) for one in listed] == [
            ("Second?", 0),
            ("First?", 10),
        ]
        assert {(one.scope, one.route) for one in listed} == {("tenant acme", "chat")}
        [mine] = await asyncio.to_thread(cache.entries, tenant="a", user="ada")
        assert mine.question == "First?"
        assert len(await asyncio.to_thread(cache.entries, limit=1)) == 1

    async def test_it_counts(self, cache):
        keep(cache)
        await look(cache)
        await look(cache, ALIKE)
        await look(cache, OTHER)
        stats = await asyncio.to_thread(cache.stats)
        assert (stats.entries, stats.partitions) == (1, 1)
        assert (stats.exact_hits, stats.similar_hits, stats.misses) == (1, 1, 1)
        assert (stats.dropped, stats.similar_problem) == (0, "")
        assert stats.bytes > 0

    async def test_in_shadow_mode_it_tells_what_it_would_have_served(self, another):
        told = []
        cache = await another(shadow=True, on_shadow=told.append)
        keep(cache)
        assert await look(cache, ALIKE) is None
        assert [(one.asked, one.hit.question) for one in told] == [(ALIKE, ASKED)]
        assert (await asyncio.to_thread(cache.stats)).shadow_hits == 1
        assert await found(cache) == "Here."

    async def test_what_cannot_be_written_is_dropped_alone(self, cache):
        keep(cache, "\ud800", question="Broken?")
        keep(cache)
        assert await found(cache) == "Here."
        assert await look(cache, "Broken?") is None
        assert cache.status.up
        assert (await asyncio.to_thread(cache.stats)).dropped == 1

    async def test_a_flood_is_bounded_and_counted(self, cache):
        text = "x" * 1_000_000
        for number in range(100):
            keep(cache, text, question=f"What is number {number}?")
        stats = await asyncio.to_thread(cache.stats)
        assert stats.dropped > 0

        async def kept():
            keep(cache)
            return await found(cache)

        await until(kept)

    async def test_two_thousand_lookups_at_once(self, cache):
        keep(cache)
        hits = await asyncio.gather(*(found(cache) for _ in range(2000)))
        assert hits.count("Here.") > 0
