"""Folders of notices files: found, parsed and laid over one another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from failsoft.errors import NoticeFileError

__all__ = ["Layer", "bundled_layers", "overlay", "read_layers"]

_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file says: ``file`` is its name for messages, ``tree`` its tables."""

    file: str
    tree: Mapping[str, Any]


@cache
def bundled_layers() -> Mapping[str, Layer]:
    """The languages that come with failsoft, by tag; read once, as they do not change."""
    return read_layers(resources.files("failsoft.notices") / "locales")


def read_layers(folder: Traversable) -> dict[str, Layer]:
    """Every ``<locale>.toml`` of a folder, by tag in lower case.

    Raises :class:`~failsoft.errors.NoticeFileError` naming the file and what to do.
    """
    try:
        files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    except OSError as error:
        raise NoticeFileError(
            f"{folder}: cannot be read ({error.strerror}); make it a folder of <locale>.toml files"
        ) from error
    return {_tag(file): Layer(str(file), _parse(file)) for file in sorted(files, key=str)}


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``below`` with every key that ``above`` has, table by table."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            merged[key] = overlay(under, value)
        else:
            merged[key] = value
    return merged


def _tag(file: Traversable) -> str:
    tag = file.name.removesuffix(".toml").lower()
    if not _TAG.fullmatch(tag):
        raise NoticeFileError(
            f"{file}: is not named after a language; name it like en.toml or es-MX.toml, "
            "or move it away"
        )
    return tag


def _parse(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoticeFileError(
            f"{file}: cannot be read ({error.strerror}); check that it may be read"
        ) from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, nested without end
        raise NoticeFileError(
            f"{file}: is not TOML in UTF-8: {error}; correct that place"
        ) from error
