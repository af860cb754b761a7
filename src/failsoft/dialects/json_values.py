"""Values of a JSON body, whose types are unchecked, and the forms that both dialects share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from pydantic_core import from_json

__all__ = [
    "DataUrl",
    "arguments_object",
    "count_in",
    "json_text",
    "list_in",
    "mapping_in",
    "messages_tool_id",
    "nine_letter_id",
    "parsed_object",
    "text_in",
    "tool_input",
]

_NOTHING: Mapping[str, Any] = {}
_NINE = 9
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def mapping_in(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under ``key``, empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, (dict, Mapping)) else _NOTHING


def list_in(value: Mapping[str, Any], key: str) -> list[Any]:
    """The list under ``key``, empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, list) else []


def text_in(value: Mapping[str, Any], key: str) -> str:
    """The text under ``key``, empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def count_in(value: Mapping[str, Any], key: str) -> int:
    """The count under ``key``, 0 where there is none."""
    found = value.get(key)
    return found if isinstance(found, int) and found > 0 else 0


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def json_text(value: Any) -> str:
    """``value`` as JSON. Raises :class:`ValueError` where it has no JSON form."""
    try:
        return _encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def tool_input(arguments: object) -> Any:
    """The input in a call's ``arguments``: cut-off JSON as far as it goes, else the text itself.

    >>> tool_input('{"n": 1, "city": "Par'), tool_input(""), tool_input("Paris")
    ({'n': 1}, {}, 'Paris')
    """
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    if not arguments:
        return {}
    try:
        return from_json(arguments, allow_partial=True, allow_inf_nan=False)
    except ValueError:
        return arguments


def arguments_object(arguments: object) -> Mapping[str, Any]:
    """The object in a call's ``arguments``; anything else is put under that name into one.

    >>> arguments_object('{"n": 1}'), arguments_object(""), arguments_object("Paris")
    ({'n': 1}, {}, {'arguments': 'Paris'})
    """
    given = arguments
    if isinstance(arguments, str):
        given = parsed_object(arguments) if arguments else {}
    return given if isinstance(given, Mapping) else {"arguments": arguments}


def parsed_object(text: str) -> dict[str, Any] | None:
    """The object that a JSON text is, ``None`` for any other text."""
    try:
        value = _decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def messages_tool_id(given: str) -> str:
    """A call's id in the letters that the Messages API takes; one that fits stays as it is.

    >>> messages_tool_id("call_1"), messages_tool_id("functions.get:0")
    ('call_1', 'functions-2e-get-3a-0')
    """
    return _NOT_IN_AN_ID.sub(lambda found: f"-{ord(found[0]):x}-", given)


def nine_letter_id(given: str) -> str:
    """A call's id in nine letters and digits; one that has that form stays as it is.

    >>> nine_letter_id("D681PevKs"), nine_letter_id("toolu_01A09q")
    ('D681PevKs', '1e43c9f75')
    """
    if len(given) == _NINE and given.isascii() and given.isalnum():
        return given
    digest = blake2b(given.encode(errors="replace"), digest_size=8).hexdigest()
    return digest[:_NINE]


class DataUrl(NamedTuple):
    """A file inside of an address: ``data:image/png;base64,…``."""

    media_type: str
    data: str

    @classmethod
    def read(cls, url: str) -> DataUrl | None:
        """The parts of ``url``, ``None`` where it is no such address in base64."""
        head, comma, data = url.partition(",")
        media_type, _, encoding = head.removeprefix("data:").partition(";")
        if head.startswith("data:") and comma and media_type and encoding == "base64":
            return cls(media_type, data)
        return None

    def __str__(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"
