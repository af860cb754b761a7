"""What ``/openapi.json`` says of the routes: parameters, bodies, replies."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from failsoft.server.schema import AnswerBody, FailureBody, HealthBody, ProblemBody, RequestBody
from failsoft.server.validation import KEY, MILLISECONDS, Question, QuestionLimits

__all__ = [
    "describe_cancel",
    "describe_chat",
    "describe_health",
    "describe_question",
    "describe_request",
    "describe_resume",
    "describe_stream",
]

_JSON, _PROBLEM, _EVENTS = "application/json", "application/problem+json", "text/event-stream"

_STREAM = """Every event is `data: <json>` and `id: <n>`; a comment breaks long silences. Exactly
one terminal event (`done`, `stream_interrupted` or `error`) comes last, then `data: [DONE]`.

| type | fields |
|---|---|
| `start` | request_id |
| `status` | phase, notice, retry_in_seconds |
| `text` | text |
| `restart` | segment |
| `done` | level, tokens, finish, usage?, notice?, suggested_actions?, retry_in_seconds?, model?, \
cache?, links? |
| `stream_interrupted`, `error` | tokens_before_error, chars_before_error, user_message, \
retryable, action, error, error_category, suggested_actions, retry_in_seconds?, links? |
"""


# Of one event, as OpenAPI 3.2 and FastAPI have it.
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "data": {"type": "string", "description": "JSON, or `[DONE]`."},
    },
    "required": ["data"],
}


def describe_chat(asked: dict[str, Any]) -> dict[str, Any]:
    """``POST /api/chat``."""
    answer, failure = _content(_JSON, AnswerBody), _content(_JSON, FailureBody)
    return {
        "summary": "Ask one question, get one answer",
        "operation_id": "chat",
        "openapi_extra": asked,
        "responses": {
            200: {"description": "An answer.", "content": answer},
            **_refusals(),
            413: {
                "description": "Too large.",
                "content": failure | _content(_PROBLEM, ProblemBody),
            },
            422: {
                "description": "It cannot be answered as it is, or a field is wrong.",
                "content": failure | _content(_PROBLEM, ProblemBody),
            },
            503: {"description": "No answer right now.", "content": failure},
        },
    }


def describe_stream(asked: dict[str, Any]) -> dict[str, Any]:
    """``POST /api/chat/stream``."""
    last = _last_event("With a known key: the last event that was read.")
    events = {_EVENTS: {"itemSchema": _EVENT}}
    problem = _content(_PROBLEM, ProblemBody)
    return {
        "summary": "Ask one question, read the answer while it comes",
        "description": _STREAM,
        "operation_id": "chat_stream",
        "openapi_extra": asked | {"parameters": [*asked["parameters"], last]},
        "responses": {
            200: {"description": "The answer's events.", "content": events},
            **_refusals(),
            413: {"description": "Too large.", "content": problem},
            422: {"description": "A field is wrong.", "content": problem},
            503: {
                "description": "The service is restarting.",
                "content": _content(_JSON, FailureBody),
            },
        },
    }


def describe_request() -> dict[str, Any]:
    """``GET /api/requests/{request_id}``."""
    return {
        "summary": "How far a request is, and what there is of its answer",
        "operation_id": "request",
        "openapi_extra": {"parameters": [_path_id()]},
        "responses": _of_request(),
    }


def describe_cancel() -> dict[str, Any]:
    """``DELETE /api/requests/{request_id}``."""
    return {
        "summary": "End a request now; what has ended stays as it ended",
        "operation_id": "cancel_request",
        "openapi_extra": {"parameters": [_path_id()]},
        "responses": _of_request(),
    }


def describe_resume() -> dict[str, Any]:
    """``GET /api/requests/{request_id}/stream``."""
    events = {_EVENTS: {"itemSchema": _EVENT}}
    problem = _content(_PROBLEM, ProblemBody)
    last = _last_event("The last event that was read; none for all.")
    return {
        "summary": "Join the stream of a request, or go on reading it",
        "description": _STREAM,
        "operation_id": "resume_stream",
        "openapi_extra": {"parameters": [_path_id(), last]},
        "responses": {
            200: {"description": "The events after the last one read.", "content": events},
            204: {"description": "There are no more."},
            **{status: _of_request()[status] for status in (401, 404, 503)},
            400: {"description": "A header cannot be read.", "content": problem},
            409: {"description": "It has no stream, or none is kept.", "content": problem},
        },
    }


def _of_request() -> dict[int | str, Any]:
    problem = _content(_PROBLEM, ProblemBody)
    return {
        200: {"description": "As it is now.", "content": _content(_JSON, RequestBody)},
        401: {"description": "A key is needed.", "content": problem},
        404: {"description": "There is no such request of this caller.", "content": problem},
        503: {"description": "The record cannot be read right now.", "content": problem},
    }


def _path_id() -> dict[str, Any]:
    return {
        "name": "request_id",
        "in": "path",
        "required": True,
        "description": "As in `x-request-id` and the `start` event.",
        "schema": {"type": "string"},
    }


def describe_health() -> dict[str, Any]:
    """``GET /api/health/ai``."""
    return {
        "summary": "Whether models answer, from real traffic; calls none",
        "operation_id": "health_ai",
        "responses": {
            200: {"description": "Always.", "content": _content(_JSON, HealthBody)},
            401: {"description": "A key is needed.", "content": _content(_PROBLEM, ProblemBody)},
        },
    }


def _refusals() -> dict[int | str, Any]:
    reasons = {
        400: "The body or a header cannot be read.",
        401: "A key is needed.",
        403: "Failures may not be asked for here.",
        408: "The body did not come in time.",
        415: "The body is not JSON, or it is compressed.",
        429: "Too many requests at a time.",
    }
    content = _content(_PROBLEM, ProblemBody)
    return {status: {"description": why, "content": content} for status, why in reasons.items()}


def _question(limits: QuestionLimits, *, names_models: bool) -> dict[str, Any]:
    """The schema of a question to this service: what it refuses is not admitted."""
    schema = dict(_schema(Question))
    fields = dict(schema["properties"])
    fields["history"] = fields["history"] | {"maxItems": limits.history}
    fields["route"] = fields["route"] | {"enum": list(limits.routes)}
    if names_models:
        models = sorted({name for models in limits.routes.values() for name in models})
        fields["model"] = fields["model"] | {"enum": [*models, None]}
    return schema | {"properties": fields}


def describe_question(limits: QuestionLimits, *, names_models: bool) -> dict[str, Any]:
    """The body and the headers of a question."""
    question = {_JSON: {"schema": _question(limits, names_models=names_models)}}
    return {
        "requestBody": {"required": True, "content": question},
        "parameters": [
            _header(
                "X-Request-Deadline-Ms",
                "string",
                "Milliseconds left, above 0.",
                pattern=f"^(?=.*[1-9]){MILLISECONDS}$",
            ),
            _header("Accept-Language", "string", "The language of notices without a `locale`."),
            _header(
                "Idempotency-Key",
                "string",
                "One for each thing to be done: sent again, it "
                "joins the request or gives its answer again.",
                pattern=f'^(?!""$){KEY}$',
            ),
            _header(
                "X-Simulate-Error",
                "string",
                "What is to go wrong, for developers: `<category|reason>[@target][;rate=0.2]"
                "[;after=5]`.",
            ),
            _header("X-Simulate-Token", "string", "The right to it, where one is needed."),
        ],
    }


def _last_event(description: str) -> dict[str, Any]:
    return _header("Last-Event-ID", "integer", description, minimum=0, maximum=10**15 - 1)


def _header(name: str, kind: str, description: str, **limits: Any) -> dict[str, Any]:
    schema = {"type": kind, **limits}
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _content(media_type: str, kind: type) -> dict[str, Any]:
    return {media_type: {"schema": _schema(kind)}}


@cache  # half of the time it takes to make an application, and always the same
def _schema(kind: type) -> Any:
    schema = TypeAdapter(kind).json_schema()
    return _whole(schema, schema.pop("$defs", {}))


def _whole(schema: Any, parts: dict[str, Any]) -> Any:
    """Put the parts where they are referred to: they have no place in the document otherwise."""
    if isinstance(schema, list):
        return [_whole(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _whole(each, parts) for name, each in schema.items()}
