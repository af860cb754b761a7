"""Checks what a caller sends before anything is done with it.

The ``Idempotency-Key`` and the body's fingerprint identify the intent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.datastructures import Headers

from failsoft.server.body import shown_name
from failsoft.server.problem import Problem
from failsoft.server.schema import FieldProblem

__all__ = [
    "KEY",
    "MILLISECONDS",
    "Question",
    "QuestionLimits",
    "last_event_id",
    "read_headers",
    "read_question",
]


_LOCALE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
_MOST_TOKENS = 1_000_000_000
# As the schema shows them too.
MILLISECONDS = r"[0-9]{1,15}(\.[0-9]{1,6})?"
KEY = r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?"
_MILLISECONDS = re.compile(MILLISECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionLimits:
    """What a question may ask for.

    ``routes`` are those of the service, each with the names of models that callers may use on it →
    the target's id.
    """

    history: int
    routes: Mapping[str, Mapping[str, str]]


def _wrong(problem: str) -> NoReturn:
    raise PydanticCustomError("wrong", "{problem}", {"problem": problem})


def _whole_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        _wrong("must be text without half characters")
    return text


def _said(text: str) -> str:
    if not text.strip():
        _wrong("must not be empty")
    return text


Text = Annotated[str, AfterValidator(_whole_text)]
Said = Annotated[
    Text, AfterValidator(_said), Field(json_schema_extra={"minLength": 1, "pattern": r"\S"})
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, data: Any) -> Any:
        """Stop at the first unknown field: a body of a million would be a million errors."""
        if isinstance(data, dict):
            unknown = next((name for name in data if name not in cls.model_fields), None)
            if unknown is not None:
                raise PydanticCustomError("unknown_field", "{name}", {"name": shown_name(unknown)})
        return data


class HistoryMessage(_Strict):
    """An earlier message."""

    role: Literal["user", "assistant"]
    content: Said


class Question(_Strict):
    """One question.

    ``message`` comes after ``history``; ``route`` is one of the service's, ``model`` goes first,
    then the rest of that route's chain; ``max_tokens`` bounds the answer; ``locale`` is the
    language of notices; ``metadata`` is the caller's own and is not sent to a model.
    """

    message: Said
    history: Annotated[list[HistoryMessage], FailFast()] = []
    system: Text | None = None
    route: str = "chat"
    model: str | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=_MOST_TOKENS)
    locale: str | None = Field(default=None, max_length=35, pattern=_LOCALE)
    metadata: dict[str, Any] | None = None

    @field_validator("history", mode="before")
    @classmethod
    def _not_too_long(cls, history: Any, info: ValidationInfo) -> Any:
        limits = _limits(info)
        if isinstance(history, list) and len(history) > limits.history:
            _wrong(f"may have at most {limits.history} messages; start a new conversation")
        return history

    @field_validator("route")
    @classmethod
    def _known_route(cls, route: str, info: ValidationInfo) -> str:
        routes = _limits(info).routes
        if route not in routes:
            _wrong(f"must be {' or '.join(map(repr, routes))}")
        return route

    @field_validator("model")
    @classmethod
    def _known_model(cls, model: str | None, info: ValidationInfo) -> str | None:
        routes = _limits(info).routes
        route = info.data.get("route")  # it was checked before, and is not there if it was wrong
        if model is None:
            return None
        if not any(model in models for models in routes.values()):
            _wrong("is not a model of this service; leave it out to get the best one there is")
        if route is None:
            return model
        if model not in routes[route]:
            _wrong(f"is not allowed on route {route!r}; leave it out to get the best one that is")
        return routes[route][model]


def read_question(data: Any, limits: QuestionLimits) -> Question:
    """The question in a request's JSON.

    Raises :class:`~failsoft.server.problem.Problem` naming every field that is wrong.
    """
    if not isinstance(data, dict):
        raise Problem.of_field(400, "body", "must be a JSON object")
    try:
        return Question.model_validate(data, context=limits)
    except ValidationError as error:
        errors = list(_field_problems(error))
    detail = "; ".join(f"{each['field']}: {each['problem']}" for each in errors)
    raise Problem(422, detail, errors=errors)


def _limits(info: ValidationInfo) -> QuestionLimits:
    if not isinstance(info.context, QuestionLimits):
        raise TypeError("a question is checked by read_question")
    return info.context


# pydantic's kinds of error in words for the person who calls; what was sent is never shown.
_WORDS = {
    "missing": "is required",
    "string_type": "must be text",
    "string_too_long": "must be a language tag such as en or de-AT",
    "string_pattern_mismatch": "must be a language tag such as en or de-AT",
    "int_type": "must be a whole number",
    "greater_than_equal": f"must be a whole number from 1 to {_MOST_TOKENS}",
    "less_than_equal": f"must be a whole number from 1 to {_MOST_TOKENS}",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}


def _field_problems(error: ValidationError) -> Iterator[FieldProblem]:
    for each in error.errors(include_url=False, include_input=False):
        field = _path(each["loc"])
        if each["type"] == "unknown_field":
            name = each["ctx"]["name"]
            yield {"field": f"{field}.{name}" if field else name, "problem": _unknown(field)}
        else:
            yield {"field": field, "problem": _words(each)}


def _unknown(inside: str) -> str:
    fields = (HistoryMessage if inside else Question).model_fields
    return f"is not a field here; there is {', '.join(fields)}"


def _words(error: ErrorDetails) -> str:
    if error["type"] == "wrong":
        return error["msg"]
    if error["type"] == "literal_error":
        return f"must be {error['ctx']['expected']}"
    return _WORDS.get(error["type"], "is not valid")


def _path(place: tuple[int | str, ...]) -> str:
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{shown_name(part)}"
    return path.removeprefix(".")


_KEY = re.compile(KEY)
_EVENT_ID = re.compile(r"[0-9]{1,15}")


def read_headers(headers: Headers) -> tuple[str | None, float | None]:
    """The key of ``Idempotency-Key``, and the seconds left of ``X-Request-Deadline-Ms``.

    ``None`` for what is not sent. Raises :class:`~failsoft.server.problem.Problem` (400).
    """
    return _idempotency_key(headers), _deadline(headers.get("x-request-deadline-ms"))


def _idempotency_key(headers: Headers) -> str | None:
    """The quoted form and the bare one are the same key."""
    sent = headers.getlist("idempotency-key")
    if not sent:
        return None
    key = sent[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = re.sub(r'\\(["\\])', r"\1", key[1:-1])
    if len(sent) > 1 or not _KEY.fullmatch(key):
        raise Problem.of_field(
            400, "Idempotency-Key", "must be sent once, as 1 to 255 printable ASCII characters"
        )
    return key


def _deadline(header: str | None) -> float | None:
    if header is None:
        return None
    seconds = float(header) / 1000 if _MILLISECONDS.fullmatch(header.strip()) else math.nan
    if not seconds > 0:
        raise Problem.of_field(
            400, "X-Request-Deadline-Ms", "must be the milliseconds that are left, above 0"
        )
    return seconds


def last_event_id(headers: Headers) -> int:
    """The id of the last event a reader has, 0 for none; raises a Problem (400) for no number."""
    sent = headers.get("last-event-id", "").strip()
    if sent and not _EVENT_ID.fullmatch(sent):
        raise Problem.of_field(400, "Last-Event-ID", "must be the number of an event")
    return int(sent or 0)
