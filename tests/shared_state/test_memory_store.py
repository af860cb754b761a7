"""The store in memory."""

import pytest
from memory_store import MemoryStore
from store_contract import KEY, StoreContract, breaker


class TestMemoryStore(StoreContract):
    @pytest.fixture
    async def store(self):
        return MemoryStore(lambda: 1_763_900_000_000)

    async def test_what_nobody_asked_for_is_forgotten_in_the_end(self):
        now = 1_763_900_000_000
        store = MemoryStore(lambda: now)
        await store.run([breaker("open", 0, 5000, "r", "", 60_000)])
        now += 3_605_000
        (told,) = await store.run([breaker("sync", 0, 0, 0, "closed", 0, 0, "")])
        assert (told["key"], told["generation"]) == (KEY, 0)
