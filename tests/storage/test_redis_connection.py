"""A client that never keeps anybody waiting."""

import asyncio
import subprocess
import sys

import pytest
from redis.exceptions import RedisError
from redis_server import needs_redis, redis_server

from failsoft.errors import SettingError
from failsoft.storage.redis import connect

pytestmark = needs_redis


@pytest.fixture
def server(tmp_path):
    with redis_server(tmp_path) as server:
        yield server


async def test_a_command_is_answered(server):
    async with connect(server.url, timeout=10.0) as client:
        assert await client.ping()


@pytest.mark.parametrize("options", ["", "?socket_timeout=60&socket_connect_timeout=60"])
async def test_a_frozen_server_is_given_up_once_whatever_the_address_says(server, options):
    async with connect(server.url + options) as client, asyncio.timeout(30):
        await client.ping()
        server.freeze()
        with pytest.raises(RedisError):
            await client.ping()
        server.thaw()


async def test_a_server_that_is_gone_is_an_error_at_once(server):
    async with connect(server.url) as client:
        server.kill()
        with pytest.raises(RedisError):
            await client.ping()


def test_an_address_that_is_none_is_a_clear_error_without_its_password():
    with pytest.raises(SettingError) as refused:
        connect("redis://me:planted@host:port/0")
    assert str(refused.value) == "redis_url: cannot be read as an address; it is not shown"


def test_without_the_extra_the_error_names_it():
    code = (
        "import sys; sys.modules['redis'] = None; sys.modules['redis.asyncio'] = None\n"
        "from failsoft.storage.redis import connect\n"
        "connect('redis://127.0.0.1')"
    )
    ended = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "redis_url needs redis, which is not installed" in ended.stderr
