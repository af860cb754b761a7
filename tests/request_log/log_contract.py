"""What every request log promises, as tests to run against any."""

import asyncio
from dataclasses import replace

import pytest
from log_kit import DONE, FAILED, feed, frame, intent, known, opened, started, until

from failsoft.request_log.contract import Conflict, Known, Opened, RequestLog, RequestState


class LogContract:
    """To inherit from, with a fixture ``another``: a started log on the same store, a new owner."""

    @pytest.fixture
    async def log(self, another) -> RequestLog:
        return await another()

    @pytest.fixture
    async def sibling(self, another) -> RequestLog:
        return await another()

    async def test_a_request_without_a_key_is_always_new(self, log):
        asked = intent()
        first = await log.open(asked)
        second = await log.open(replace(asked, id="req_other"))
        assert isinstance(first, Opened)
        assert isinstance(second, Opened)
        assert (first.new, second.new) == (True, True)
        assert first.record.id == asked.id
        assert (first.record.state, first.record.run) == (RequestState.QUEUED, 1)
        assert (first.record.first_id, first.record.last_id) == (1, 0)
        assert (first.record.attempt, first.record.shown_run) == (0, 0)

    async def test_what_was_opened_is_found_by_others_at_once(self, log, sibling):
        record = await opened(log, intent())
        assert await sibling.find(record.id, record.scope) == record

    async def test_a_key_is_opened_once_and_then_known(self, log, sibling):
        asked = intent("k")
        record = await opened(log, asked)
        assert await known(log, intent("k")) == Known(record, ours=True)
        assert await known(sibling, intent("k")) == Known(record, ours=False)

    async def test_fifty_at_once_in_two_processes_open_one(self, log, sibling):
        logs = [log, sibling] * 25
        found = await asyncio.gather(*(each.open(intent("k")) for each in logs))
        winners = [one for one in found if isinstance(one, Opened)]
        assert len(winners) == 1
        assert {one.record.id for one in found} == {winners[0].record.id}

    async def test_the_same_key_with_another_body_is_a_conflict_running_or_ended(self, log):
        _, entry = await started(log, intent("k"))
        assert await log.open(intent("k", body=b"other")) == Conflict()
        await entry.end(DONE)
        assert await log.open(intent("k", body=b"other")) == Conflict()

    async def test_a_key_is_its_scopes_own(self, log):
        assert (await opened(log, intent("k", scope="a"))).id != (
            await opened(log, intent("k", scope="b"))
        ).id

    async def test_an_end_that_was_not_retryable_is_known_and_nobodys(self, log, sibling):
        _, entry = await started(log, intent("k"))
        assert await entry.end(DONE)
        found = await known(log, intent("k"))
        assert not found.ours
        assert found.record.state is RequestState.DONE
        assert (found.record.status, found.record.body) == (200, DONE.body)
        assert found == await known(sibling, intent("k"))

    async def test_a_retryable_end_opens_a_further_run(self, log, sibling):
        record, entry = await started(log, intent("k"))
        feed(entry, 1, 2, 3)
        entry.progress(4, None)
        await entry.end(FAILED)
        found = await sibling.open(intent("k"))
        assert isinstance(found, Opened)
        assert not found.new
        again = found.record
        assert (again.id, again.run, again.state) == (record.id, 2, RequestState.QUEUED)
        assert (again.first_id, again.last_id, again.shown_run) == (4, 3, 1)
        assert (again.ended_at, again.status, again.body, again.attempt) == (None, None, None, 0)
        assert again.owner != record.owner
        assert await sibling.find(record.id, record.scope) == again
        assert (await known(log, intent("k"))).record == again

    async def test_ids_go_on_after_a_run_that_ended_itself_interrupted(self, log):
        _, entry = await started(log, intent("k"))
        feed(entry, 1, 2)
        await entry.end(replace(FAILED, state=RequestState.INTERRUPTED))
        assert (await opened(log, intent("k"))).first_id == 3

    async def test_a_further_run_takes_on_how_it_was_asked_for(self, log):
        _, entry = await started(log, intent("k"))
        await entry.end(FAILED)
        again = await opened(log, replace(intent("k"), stream=False, locale="de", route="b"))
        assert (again.stream, again.locale, again.route) == (False, "de", "b")

    async def test_a_run_ends_once(self, log):
        record, entry = await started(log, intent("k"))
        assert await entry.end(FAILED)
        assert not await entry.end(DONE)
        _, again = await started(log, intent("k"))
        assert not await entry.end(DONE)
        assert (await log.find(record.id, record.scope)).state is RequestState.QUEUED
        assert await again.end(DONE)

    async def test_frames_come_back_byte_for_byte(self, log, sibling):
        record, entry = await started(log, intent())
        data = feed(entry, 1, 2, 3)
        mine = await log.events(record.id, 1, 0)
        assert (mine.data, mine.last_id) == (data, 3)
        data += feed(entry, 4, 5)
        await entry.end(DONE)
        for each in (log, sibling):
            found = await each.events(record.id, 1, 0)
            assert (found.data, found.last_id) == (data, 5)
            assert found.record.state is RequestState.DONE
            assert found.record.last_id == 5

    @pytest.mark.parametrize("after", range(8))
    async def test_reading_goes_on_after_any_event(self, log, after):
        record, entry = await started(log, intent())
        feed(entry, 1, 2, 3)
        await log.events(record.id, 1, 0)  # ends a chunk
        feed(entry, 4, 6, 7)  # an id may be left out
        found = await log.events(record.id, 1, after)
        assert found.data == b"".join(frame(n) for n in (1, 2, 3, 4, 6, 7) if n > after)
        assert found.last_id == 7

    async def test_reading_on_where_there_is_nothing_stays_where_it_was(self, log):
        record = await opened(log, intent())
        assert (await log.events(record.id, 1, 9)).last_id == 9
        assert (await log.events(record.id, 1, 0)).data == b""

    async def test_a_frame_may_look_like_several(self, log):
        record, entry = await started(log, intent())
        tricky = b'id: 1\ndata: {"text":"\\n\\nid: 9\\n"}\n\n'
        last = b"id: 2\ndata: {}\n\ndata: [DONE]\n\n"
        entry.append(tricky, 1, shown=True)
        entry.append(last, 2, shown=False)
        assert (await log.events(record.id, 1, 0)).data == tricky + last
        assert (await log.events(record.id, 1, 1)).data == last

    async def test_what_is_appended_is_read_elsewhere_soon(self, log, sibling):
        record, entry = await started(log, intent())
        data = feed(entry, 1, 2)

        async def arrived() -> bool:
            return (await sibling.events(record.id, 1, 0)).data == data

        await until(arrived)

    async def test_each_run_has_its_frames(self, log):
        record, entry = await started(log, intent("k"))
        first = feed(entry, 1, 2)
        await entry.end(FAILED)
        _again, again_entry = await started(log, intent("k"))
        second = feed(again_entry, 3, 4)
        assert (await log.events(record.id, 1, 0)).data == first
        assert (await log.events(record.id, 2, 0)).data == second

    async def test_frames_of_a_run_that_ended_are_dropped(self, log):
        record, entry = await started(log, intent("k"))
        await entry.end(FAILED)
        feed(entry, 3)
        again = await opened(log, intent("k"))
        feed(entry, 4)
        assert (await log.events(record.id, 1, 0)).data == b""
        assert (await log.events(record.id, 2, 0)).data == b""
        assert again.last_id == 0

    async def test_progress_is_told(self, log, sibling):
        record, entry = await started(log, intent())
        entry.progress(2, 1234.5)
        found = await log.find(record.id, record.scope)
        assert found.state is RequestState.RUNNING
        assert (found.attempt, found.retry_at) == (2, 1234.5)
        assert await sibling.find(record.id, record.scope) == found
        entry.progress(3, None)
        await entry.end(DONE)
        entry.progress(4, None)
        found = await log.find(record.id, record.scope)
        assert (found.state, found.attempt, found.retry_at) == (RequestState.DONE, 3, None)

    async def test_it_is_known_which_run_gave_out_text(self, log):
        record, entry = await started(log, intent())
        feed(entry, 1, shown=False)
        assert (await log.find(record.id, record.scope)).shown_run == 0
        feed(entry, 2)
        assert (await log.find(record.id, record.scope)).shown_run == 1

    async def test_other_scopes_see_nothing(self, log):
        record = await opened(log, intent())
        assert await log.find(record.id, "acme:bob") is None
        assert await log.cancel(record.id, "acme:bob") is None
        assert await log.find("req_unknown", record.scope) is None
        with pytest.raises(KeyError):
            await log.events("req_unknown", 1, 0)

    async def test_a_cancel_reaches_the_process_that_runs_it(self, another):
        asked: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        elsewhere: list[tuple[str, int]] = []
        log = await another(on_cancel=lambda *told: asked.put_nowait(told))
        sibling = await another(on_cancel=lambda *told: elsewhere.append(told))
        record, entry = await started(log, intent())
        assert (await sibling.cancel(record.id, record.scope)).state is RequestState.QUEUED
        async with asyncio.timeout(10):
            assert await asked.get() == (record.id, 1)
        await entry.end(DONE)
        assert (await sibling.cancel(record.id, record.scope)).state is RequestState.DONE
        await asyncio.sleep(0.3)  # longer than a word takes
        assert asked.empty()
        assert elsewhere == []

    async def test_followers_are_those_of_other_processes(self, log, sibling):
        record, entry = await started(log, intent())
        await log.follow(record.id)
        assert not await entry.followed()
        await sibling.follow(record.id)

        async def followed() -> bool:
            return await entry.followed()

        await until(followed)

    async def test_leaving_interrupts_what_still_runs(self, log, sibling):
        record, entry = await started(log, intent("k"))
        ended, ended_entry = await started(log, intent())
        data = feed(entry, 1, 2)
        await ended_entry.end(DONE)
        await log.aclose()
        found = await sibling.find(record.id, record.scope)
        assert (found.state, found.retryable) == (RequestState.INTERRUPTED, True)
        assert found.last_id > 2  # nobody knows what was given out and not written
        assert (await sibling.events(record.id, 1, 0)).data == data
        assert (await sibling.find(ended.id, ended.scope)).state is RequestState.DONE
        again = await opened(sibling, intent("k"))
        assert (again.run, again.first_id) == (2, found.last_id + 1)

    async def test_a_caller_who_left_while_it_was_opened_leaves_the_key_free(self, log):
        opening = asyncio.create_task(log.open(intent("k")))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert (await opened(log, intent("k"))).run in (1, 2)

    async def test_a_caller_who_left_takes_nothing_from_the_one_who_was_first(self, log):
        record = await opened(log, intent("k"))
        opening = asyncio.create_task(log.open(intent("k")))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert (await known(log, intent("k"))).record == record

    async def test_what_cannot_be_written_takes_nothing_else_along(self, log):
        record, entry = await started(log, intent())
        other, other_entry = await started(log, intent())
        kept = feed(other_entry, 1)
        entry.append(frame(1), 2**70, shown=True)
        bad, good = await asyncio.gather(log.open(intent("\ud800")), log.open(intent("k")))
        assert isinstance(bad, Opened)
        assert await log.find(bad.record.id, bad.record.scope) is None
        assert await log.find(good.record.id, good.record.scope) == good.record
        assert (await log.events(other.id, 1, 0)).data == kept
        assert await entry.end(DONE)
        assert (await log.find(record.id, record.scope)).state is RequestState.DONE
        assert log.status.up

    async def test_callers_in_several_loops_get_their_answers(self, log):
        record = await opened(log, intent("k"))
        found = await asyncio.gather(
            log.find(record.id, record.scope),
            asyncio.to_thread(asyncio.run, log.find(record.id, record.scope)),
            asyncio.to_thread(asyncio.run, log.open(intent("k"))),
        )
        assert found == [record, record, Known(record, ours=True)]

    async def test_text_is_not_kept_where_that_is_not_wanted(self, another):
        log, sibling = await another(store_text=False), await another()
        record, entry = await started(log, intent("k"))
        feed(entry, 1, 2)
        await entry.end(FAILED)
        found = await sibling.events(record.id, 1, 0)
        assert (found.data, found.record.body) == (b"", FAILED.body)  # words of our own
        assert (found.record.status, found.record.last_id, found.record.shown_run) == (503, 2, 1)
        again, again_entry = await started(log, intent("k"))
        assert again.first_id == 3
        await again_entry.end(DONE)
        found = await sibling.find(again.id, again.scope)
        assert (found.status, found.body) == (DONE.status, None)

    async def test_what_is_too_old_is_as_if_it_were_not_there(self, another):
        now = [1_000_000.0]
        log = await another(retention_seconds=10.0, clock=lambda: now[0])
        ended, ended_entry = await started(log, intent("k"))
        running = await opened(log, intent("r"))
        feed(ended_entry, 1)
        await ended_entry.end(DONE)
        now[0] += 9
        assert (await known(log, intent("k"))).record.ended_at == 1_000_000.0
        now[0] += 1
        assert await log.find(ended.id, ended.scope) is None
        assert (await known(log, intent("r"))).record == running
        anew = await opened(log, intent("k", body=b"other"))
        assert (anew.id != ended.id, anew.run, anew.first_id) == (True, 1, 1)
        assert (await log.events(anew.id, 1, 0)).data == b""

    async def test_it_says_that_it_is_up_and_after_the_end_that_it_is_not(self, log):
        await log.find("req", "scope")
        assert (log.status.name, log.status.up, log.status.problem) == ("request_log", True, "")
        await log.aclose()
        await log.aclose()
        assert not log.status.up
        assert isinstance(await log.open(intent()), Opened)
