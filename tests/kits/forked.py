"""Children of this process."""

import json
import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

# Only ends a child that would never end.
PATIENCE_SECONDS = 60


def fork(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begin ``work`` in a child; what it returned, or the error it met, once that is asked for."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads are what is tested
        child = os.fork()
    if not child:
        _work_in_the_child(work, writing)
    os.close(writing)

    def result() -> Any:
        with os.fdopen(reading) as said:
            told = said.read()
        os.waitpid(child, 0)
        assert told, "the child died, or took too long"
        kind, value = json.loads(told)
        assert kind == "done", value
        return value

    return result


def _work_in_the_child(work: Callable[[], Any], writing: int) -> None:
    signal.alarm(PATIENCE_SECONDS)
    try:
        told = ("done", work())
    except BaseException as error:  # noqa: BLE001 - told to the parent
        told = ("failed", repr(error))
    try:
        os.write(writing, json.dumps(told).encode())
    finally:
        os._exit(0)
