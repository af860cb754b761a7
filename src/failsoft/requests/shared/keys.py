"""Where in Redis a request is kept."""

from __future__ import annotations

import hashlib
from typing import Final

from failsoft.requests.records import Intent

__all__ = [
    "OWNERS",
    "cancels_key",
    "followers_key",
    "place_key",
    "place_keys",
    "place_of",
    "runs_key",
]

# The version of what lies under them is in all keys: two versions do not see each other's.
_PREFIX: Final = "failsoft:1"

OWNERS: Final = f"{_PREFIX}:owners"
"""A sorted set: every process and the time of its last sign."""


def place_of(intent: Intent) -> str:
    """The place of a request: of its key where it has one, so that the same key meets itself there.

    What is kept at one place has one hash tag, and thus lies in one slot of a cluster.
    """
    if intent.key is None:
        return intent.id
    name = f"{len(intent.scope)}:{intent.scope}{intent.key}"
    return "key_" + hashlib.sha256(name.encode()).hexdigest()[:40]


def place_keys(place: str) -> tuple[str, str, str]:
    """Of the record (a hash), the frames of all its runs (a stream), and the stories (a hash)."""
    tag = f"{_PREFIX}:{{{place}}}"
    return f"{tag}:record", f"{tag}:frames", f"{tag}:stories"


def place_key(request_id: str) -> str:
    """Of the place of a request that has a key; one without is at a place of its own name."""
    return f"{_PREFIX}:{{{request_id}}}:place"


def followers_key(request_id: str) -> str:
    """A sorted set: processes with a reader of it, and until when that holds."""
    return f"{_PREFIX}:{{{request_id}}}:followers"


def cancels_key(owner: str) -> str:
    """A list: what an owner is asked to cancel."""
    return f"{_PREFIX}:{{{owner}}}:cancels"


def runs_key(owner: str) -> str:
    """A set: the places of what an owner runs."""
    return f"{_PREFIX}:{{{owner}}}:runs"
