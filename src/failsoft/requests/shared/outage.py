"""Which errors mean that Redis cannot be used, and what to tell the operator."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["explain", "is_outage", "slow"]

# Error codes that concern the server rather than one command. Before version 7 a script's error
# has its code somewhere within; for some the library has classes, and takes the code away.
_CODES: Final = re.compile(
    r"\b(BUSY|CLUSTERDOWN|DENIED|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|OOM"
    r"|READONLY|WRONGPASS)\b"
)
_CLASSES: Final = {
    "AuthenticationError": "NOAUTH",
    "AuthenticationWrongNumberOfArgsError": "NOAUTH",
    "AuthorizationError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "MovedError": "MOVED",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
}
_ENTRY: Final = "refuses this user: check the name, the password and the rights in redis_url"
_REASONS: Final = {
    "LOADING": "still reads its data: wait",
    "MOVED": "is one node of a cluster: give redis_url a server that is none",
    "NOAUTH": _ENTRY,
    "NOPERM": _ENTRY,
    "OOM": "its memory is full: raise maxmemory, or choose a policy that evicts",
    "READONLY": "is a read-only replica: set redis_url to the primary",
    "WRONGPASS": _ENTRY,
}
_AGAIN: Final = "; it is tried again by itself every few seconds"


def is_outage(error: Exception) -> bool:
    """Whether it concerns the server, rather than one command."""
    return _code(error) is not None


def explain(error: Exception, where: str) -> str:
    """One line for the operator: which server, what is wrong, what to do."""
    return f"request log in Redis at {where}: {_reason(error)}{_AGAIN}"


def slow(where: str) -> str:
    """The line for one that did not answer in time."""
    return explain(TimeoutError(), where)


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    if (code := _code(error)) is not None:
        return _REASONS.get(code, f"cannot be used ({said}): check the server")
    if type(error).__name__ == "TimeoutError":
        return "does not answer in time: check the server, and the network between"
    return f"cannot be reached ({said}): check that it runs, and redis_url"


def _code(error: Exception) -> str | None:
    if code := _CLASSES.get(type(error).__name__):
        return code
    found = _CODES.search(str(error))
    return found[1] if found else None
