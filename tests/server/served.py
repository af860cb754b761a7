"""The service as ``failsoft serve`` runs it; a program for tests."""

import sys
from functools import partial

from failsoft.config.settings import ProviderSettings, ServerSettings, Settings
from failsoft.request_log.redis_log import RedisLog
from failsoft.server import app
from failsoft.server.serve import serve
from failsoft.storage.times import StoreTimes

# None waits ten seconds in a test; a busy machine is not an outage.
TIMES = StoreTimes(dead=4.0, heartbeat=0.4, reply=1.0)

if __name__ == "__main__":
    upstream, workers, drain, announce, *shared = sys.argv[1:]
    redis_url, data_dir = shared or (None, ".failsoft")
    app.RedisLog = partial(RedisLog, times=TIMES)
    serve(
        Settings(
            anthropic=ProviderSettings(base_url=upstream, api_key="any"),
            redis_url=redis_url,
            data_dir=data_dir,
            server=ServerSettings(
                port=0,
                workers=int(workers),
                drain_seconds=float(drain),
                announce_seconds=float(announce),
            ),
        ),
        on_ready=lambda url: print(url, flush=True),  # noqa: T201 - the test reads it
    )
