"""Runs the service on uvicorn, in one process or several, until it is stopped."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from fastapi import FastAPI
from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from failsoft.config.settings import Settings
from failsoft.errors import SettingError
from failsoft.faults import simulation_in
from failsoft.providers.models import target_for
from failsoft.server.app import create_app
from failsoft.server.auth import check_exposure
from failsoft.server.http_connection import BoundedConnection, raise_open_files
from failsoft.server.logging import LOGGING
from failsoft.server.responses import WRITE_SECONDS
from failsoft.server.service import LAST_WORDS_SECONDS

__all__ = ["serve", "uvicorn_config"]


_BACKLOG = 2048

# What a request is made of is freed by counting references. With Python's own thresholds a thousand
# open streams are walked through again and again: up to 240 ms at a time, a tenth of all the CPU.
_GC_THRESHOLDS = (20_000, 20, 100)

_WORKER_SILENT_SECONDS = 30


def serve(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve at ``settings.server`` until SIGTERM or SIGINT, then drain and return.

    ``on_ready`` gets the address once connections are accepted there. Every worker has these
    same settings. Raises :class:`~failsoft.errors.SettingError` where the address cannot be used
    or would be open to the world without keys, and where ``simulate_error`` is not to be.
    """
    check_exposure(settings)
    raise_open_files()
    simulation_in(settings, [target_for(spec, settings) for spec in settings.chain])
    with _listen(settings.server.host, settings.server.port) as listener:
        on_ready(_url(listener))
        config = _config(settings)
        if settings.server.workers == 1:
            Server(config).run([listener])
            return
        supervisor = Multiprocess(config, [listener])
        with _shared_metrics():
            supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(STARTUP_FAILURE)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder where the workers count together; one that the operator has set is left alone."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="failsoft-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


def uvicorn_config(app: Any, **more: Any) -> Config:
    """How uvicorn serves ``app`` (an application, or with ``factory=True`` what makes one)."""
    return Config(
        app,
        http=BoundedConnection,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **more,
    )


def _config(settings: Settings) -> Config:
    return uvicorn_config(
        partial(_application, settings),
        factory=True,
        workers=settings.server.workers,
        backlog=_BACKLOG,
        log_config=LOGGING,
        # The drain has ended every request by then; this is for those that would not end.
        timeout_graceful_shutdown=int(LAST_WORDS_SECONDS),
        # A worker that only starts slowly, on a busy machine, must not be taken for a hung one.
        timeout_worker_healthcheck=_WORKER_SILENT_SECONDS,
    )


def _application(settings: Settings) -> FastAPI:
    """The application of one process, with all that it is made of out of the collector's way."""
    if parent := parent_process():
        Thread(target=_end_with, args=(parent,), name="failsoft-parent", daemon=True).start()
    app = create_app(settings=settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    return app


def _end_with(parent: BaseProcess) -> None:
    """Drain and end once the parent is gone, however it went: the port must come free."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingError(
            "server.port",
            f"cannot listen on {host} port {port}: {error.strerror or error}; "
            "choose another with --port",
        ) from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Every connection inherits it: one that takes nothing is then dropped with all it holds,
        # while closing it would wait for ever to send what is buffered.
        patience = int(WRITE_SECONDS * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    listener.set_inheritable(True)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
