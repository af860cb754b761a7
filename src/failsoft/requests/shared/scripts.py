"""The scripts that Redis runs, each all or nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["SCRIPTS", "Script", "script"]

SCRIPTS: Final = ("cut", "end", "follow", "followed", "give", "lives", "open", "read", "sign")


@dataclass(frozen=True, slots=True)
class Script:
    """The text of a script, and the name by which Redis knows it once it has been loaded."""

    text: bytes
    sha: str


@cache
def script(name: str) -> Script:
    """The script of that name."""
    folder = files("failsoft.requests.shared")
    text = b"\n".join((folder / f"{part}.lua").read_bytes() for part in ("common", name))
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest())
