"""What every store does."""

import asyncio

import pytest

from failsoft.shared_state.store import Operation

KEY = "breaker:a"


def breaker(name, *arguments, key=KEY):
    return Operation("breaker", key, name, arguments)


def record(sequence, *, process="p", one_caller=0, before=0, row_calls=1, **counts):
    counted = {"generation": 0, "calls": 1, "failures": 1, "broke": 0, "weight": 1, "older": 0}
    counted = (counted | counts).values()
    return breaker("record", process, sequence, *counted, one_caller, 6000, 10, before, row_calls)


def nothing_known(key=KEY):
    return breaker("sync", 0, 0, 0, "closed", 0, 0, "", key=key)


class StoreContract:
    @pytest.fixture
    async def store(self):
        raise NotImplementedError

    async def do(self, store, *operations):
        return (await store.run(operations))[-1]

    async def test_what_is_not_there_is_closed_and_is_not_made_by_looking(self, store):
        told = await self.do(store, nothing_known())
        assert (told["key"], told["state"], told["generation"]) == (KEY, "closed", 0)
        assert told["born"] == 0

    async def test_replies_come_in_order_one_for_each(self, store):
        keys = [f"breaker:{n}" for n in range(5)]
        told = await store.run([nothing_known(key) for key in keys])
        assert [each["key"] for each in told] == keys

    async def test_nothing_asked_is_nothing_told(self, store):
        assert await store.run([]) == []

    async def test_what_is_told_twice_counts_once(self, store):
        told = await self.do(store, record(1), record(1), record(2), record(1), record(2))
        assert told["counts"]["failures"] == told["counts"]["in_row"] == 2

    async def test_whoever_counts_is_told_how_many_do(self, store):
        told = await self.do(store, record(1), record(1, process="q"), record(2))
        assert told["counts"]["processes"] == 2

    async def test_a_success_ends_the_row_and_no_count(self, store):
        again = record(2, calls=3, failures=1, broke=1, weight=1)
        told = await self.do(store, record(1, weight=7, row_calls=5), again)
        assert (told["counts"]["in_row"], told["counts"]["calls"]) == (1, 4)
        assert told["counts"]["row_calls"] == 1

    async def test_the_calls_of_a_row_are_counted_beside_their_weight(self, store):
        told = await self.do(store, record(1, weight=6, row_calls=2), record(2, weight=3))
        assert (told["counts"]["in_row"], told["counts"]["row_calls"]) == (9, 3)

    async def test_it_opens_once_for_one_generation(self, store):
        open_it = breaker("open", 0, 60_000, "failures in a row", "overloaded", 60_000)
        first, second = await store.run([open_it, breaker("open", 0, 90_000, "late", "", 60_000)])
        assert (first["state"], first["cause"]) == ("open", "overloaded")
        assert second == {**first, "now": second["now"]}

    async def test_what_an_older_generation_counted_is_nothing(self, store):
        opened = await self.do(store, breaker("open", 0, 0, "r", "", 60_000))
        closed = await self.do(store, breaker("restore", "p", 1, 0, "restored by hand"))
        told = await self.do(store, record(2, generation=opened["generation"]))
        assert closed["generation"] > opened["generation"] > 0
        assert told["counts"]["failures"] == 0

    async def test_one_lease_at_a_time_and_its_successes_close(self, store):
        opened = await self.do(store, breaker("open", 0, 0, "r", "", 60_000))
        first, second = await store.run(
            [breaker("lease", opened["generation"], name, 9000, 1) for name in ("l1", "l2")]
        )
        assert (first["granted"], first["state"], "granted" in second) == ("l1", "half_open", False)
        passed = breaker("probe", "l1", "success", 1, 0, "", 0)
        told, again = await store.run([passed, passed])
        assert told["state"] == "closed"
        assert again["generation"] == told["generation"]

    async def test_a_probe_that_fails_opens_anew(self, store):
        leased = breaker("lease", 0, "l", 9000, 1)
        failed = breaker("probe", "l", "failure", 1, 7000, "upstream", 0)
        told = await self.do(store, breaker("open", 0, 0, "r", "", 60_000), leased, failed)
        assert (told["state"], told["cause"]) == ("open", "upstream")
        assert told["until"] == told["now"] + 7000

    async def test_it_closes_on_trial_until_enough_calls_went_well(self, store):
        async def closed(needed):
            opened = await self.do(store, breaker("open", generation, 0, "r", "", 60_000))
            await store.run([breaker("lease", opened["generation"], "l", 9000, 1)])
            return await self.do(store, breaker("probe", "l", "success", needed, 0, "", 0))

        generation, trials = 0, []
        for number, (needed, calls, before) in enumerate(
            [(1, 0, 0), (2, 0, 0), (2, 1, 0), (3, 1, 0), (3, 0, 1), (3, 0, 2)], start=1
        ):
            told = await closed(needed)
            assert (told["state"], told["reason"]) == ("closed", "probe succeeded: on trial")
            its = {"generation": told["generation"], "process": f"p{number}"}
            well = record(1, calls=calls, failures=0, weight=0, **its)
            failed = record(2, calls=before + 1, before=before, **its)
            told = await self.do(store, well, failed)
            trials.append(told["counts"]["on_trial"])
            told = await self.do(store, record(3, calls=1, failures=0, weight=0, **its))
            assert not told["counts"]["on_trial"]
            generation = told["generation"]
        assert trials == [False, True, False, True, True, False]

    async def test_an_opening_by_one_caller_is_probed_at_once(self, store):
        a_failure = (record(n, process=f"p{n}", one_caller=1) for n in (1, 2))
        opened = await self.do(store, *a_failure, breaker("open", 0, 60_000, "r", "", 60_000))
        leased = breaker("lease", opened["generation"], "l", 9000, 1)
        granted = await self.do(store, leased)
        assert (opened["one_caller"], granted["granted"]) == (True, "l")
        still = await self.do(store, breaker("probe", "l", "failure", 1, 60_000, "", 1))
        assert (still["state"], still["one_caller"]) == ("open", True)
        again = breaker("lease", still["generation"], "m", 9000, 1)
        failed = breaker("probe", "m", "failure", 1, 60_000, "", 0)
        told = await self.do(store, again, failed)
        assert (told["state"], told["one_caller"]) == ("open", False)
        refused = await self.do(store, breaker("lease", told["generation"], "n", 9000, 1))
        assert "granted" not in refused

    @pytest.mark.parametrize(("one_caller", "window"), [(0, 60_000), (1, 0)])
    async def test_an_opening_by_several_callers_or_by_a_host_is_not(
        self, store, one_caller, window
    ):
        failed = (
            record(1, process="p", one_caller=1),
            record(1, process="q", one_caller=one_caller),
        )
        opened = await self.do(store, *failed, breaker("open", 0, 60_000, "r", "", window))
        told = await self.do(store, breaker("lease", opened["generation"], "l", 9000, 1))
        assert not opened["one_caller"]
        assert "granted" not in told

    async def test_what_was_isolated_grants_nothing_until_it_is_restored(self, store):
        told = await self.do(
            store, breaker("isolate", "p", 1, 0, "by hand"), breaker("lease", 0, "l", 9000, 1)
        )
        assert told["isolated"]
        assert "granted" not in told
        told = await self.do(store, breaker("restore", "p", 2, 0, "by hand"))
        assert (told["state"], told["isolated"]) == ("closed", False)

    async def test_what_is_done_by_hand_begins_a_later_generation_than_was_seen(self, store):
        seen = 9_000_000_000_000
        told = await self.do(store, breaker("restore", "p", 1, seen, "restored by hand"))
        assert (told["generation"], told["state"]) == (seen + 1, "closed")
        believes_otherwise = breaker("sync", seen, 5, 0, "open", 60_000, 1, "upstream")
        told = await self.do(store, believes_otherwise)
        assert (told["state"], told["isolated"]) == ("closed", False)
        told = await self.do(store, Operation("hold", "hold:f", "release", ("p", 1, seen)))
        assert told["generation"] == seen + 1
        benched = ("bench", 60_000, 1, 0, 0, "billing")
        believes = Operation("hold", "hold:f", "sync", (seen, 5, 0, *benched))
        alone = Operation("hold", "hold:f", "sync", (seen, 5, 1, *benched))
        assert (await self.do(store, believes))["until"] == 0
        assert (await self.do(store, alone))["until"] > 0

    async def test_who_knows_more_than_a_store_that_lost_all_is_believed(self, store):
        told = await self.do(store, breaker("sync", 77, 5, 0, "open", 3000, 1, ""))
        assert told["isolated"]
        told = await self.do(
            store, breaker("sync", 99, 5, 0, "open", 3000, 0, "upstream", key="breaker:b")
        )
        assert (told["state"], told["cause"]) == ("open", "upstream")

    async def test_a_bench_is_never_shortened(self, store):
        first, second = await store.run(
            Operation("hold", "hold:f", "hold", ("bench", ms, 0, 0, 0, "requests"))
            for ms in (9000, 50)
        )
        assert second["until"] == first["until"]
        assert second["generation"] == first["generation"]

    async def test_a_park_within_a_longer_bench_owes_its_probe(self, store):
        told = await self.do(
            store,
            Operation("hold", "hold:f", "hold", ("bench", 9000, 0, 0, 10, "requests")),
            Operation("hold", "hold:f", "hold", ("park", 50, 1, 1, 0, "billing")),
            Operation("hold", "hold:f", "hold", ("bench", 9500, 0, 0, 10, "requests")),
        )
        assert told["probe_due"]
        assert told["until"] >= told["now"] + 9000

    async def test_a_change_is_pushed_and_no_change_is_not(self, store):
        pushed, ready = asyncio.Queue(), asyncio.Event()
        listening = asyncio.create_task(store.listen(pushed.put_nowait, ready.set))
        async with asyncio.timeout(30):
            await ready.wait()
            opened = await self.until_pushed(store, pushed)
            await store.run([record(9, failures=0, weight=0), nothing_known()])
            closed = await self.do(store, breaker("restore", "p", 10, 0, "by hand"))
            while (told := await pushed.get())["key"] != KEY:
                pass
        listening.cancel()
        await asyncio.wait([listening])
        assert opened["state"] == "open"
        assert told == closed

    async def test_the_first_failure_after_a_calm_is_told_to_all(self, store):
        first = await self.do(store, record(1))
        assert first["stirred"] == first["now"]
        second = await self.do(store, record(2))
        assert second["stirred"] == first["stirred"]
        well = await self.do(store, record(3, failures=0, broke=1, weight=0))
        assert well["stirred"] == first["stirred"]

    async def until_pushed(self, store, pushed):
        """A subscription may begin a moment late."""
        for number in range(100):
            key = f"breaker:first/{number}"
            told = await self.do(store, breaker("open", 0, 9000, "r", "", 60_000, key=key))
            with_it = asyncio.create_task(pushed.get())
            await asyncio.wait([with_it], timeout=0.2)
            if with_it.done():
                return told
            with_it.cancel()
        raise AssertionError("nothing is pushed")
