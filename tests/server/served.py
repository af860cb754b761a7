"""The service as ``failsoft serve`` runs it; a program for test_drain."""

import sys

from failsoft.config.settings import ProviderSettings, ServerSettings, Settings
from failsoft.server.serve import serve

if __name__ == "__main__":
    upstream, workers, drain, announce = sys.argv[1:]
    serve(
        Settings(
            anthropic=ProviderSettings(base_url=upstream, api_key="any"),
            server=ServerSettings(
                port=0,
                workers=int(workers),
                drain_seconds=float(drain),
                announce_seconds=float(announce),
            ),
        ),
        on_ready=lambda url: print(url, flush=True),  # noqa: T201 - the test reads it
    )
