"""The log in Redis keeps the contract, and what is its own."""

import pytest
from log_contract import LogContract
from redis_server import needs_redis, redis_server

from failsoft.requests.shared.log import RedisLog

pytestmark = needs_redis


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def another(shared):
    logs = []

    async def start(*, on_cancel=lambda *_: None, **settings):
        log = RedisLog(shared.url, **settings)
        log.start(on_cancel=on_cancel)
        logs.append(log)
        return log

    yield start
    for log in logs:
        await log.aclose()
    shared.forget()


class TestRedisLog(LogContract):
    pass
