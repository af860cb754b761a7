"""Processes that share a store in memory, in virtual time."""

import pytest
from led_world import World
from memory_store import MemoryStore


@pytest.fixture
def world():
    world = World(MemoryStore)
    yield world
    world.close()
