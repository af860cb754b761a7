"""The service as ``failsoft serve`` runs it; a program for tests."""

import sys

from failsoft.config.settings import ProviderSettings, ServerSettings, Settings
from failsoft.request_log import (
    redis_commands as commands,
)
from failsoft.request_log import (
    redis_wire as wire,
)
from failsoft.request_log import (
    redis_worker as duties,
)
from failsoft.server.serve import serve

if __name__ == "__main__":
    upstream, workers, drain, announce, *shared = sys.argv[1:]
    redis_url, data_dir = shared or (None, ".failsoft")
    commands.DEAD_SECONDS = duties.DEAD_SECONDS = 4.0  # nobody waits ten in a test
    duties._SIGN_SECONDS = 0.4
    wire.REDIS_TIMEOUT_SECONDS = 1.0  # a busy machine is not an outage
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
