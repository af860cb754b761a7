"""A request of Chat Completions: its checks, and what the simulator understands of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from failsoft.chaos.simulator.simulated_answer import (
    BadCallError,
    SimulatedCall,
    SimulatedTool,
    chosen_tools,
    prompt_tokens,
)

__all__ = ["check_chat_headers", "parse_chat_call"]

_NO_KEY: Final = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
_ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
_RANGES: Final[Mapping[str, tuple[type | tuple[type, ...], float, float | None]]] = {
    "max_tokens": (int, 1, None),
    "max_completion_tokens": (int, 1, None),
    "n": (int, 1, 128),
    "top_logprobs": (int, 0, 20),
    "temperature": ((int, float), 0, 2),
    "top_p": ((int, float), 0, 1),
    "presence_penalty": ((int, float), -2, 2),
    "frequency_penalty": ((int, float), -2, 2),
}
_JSON_NAMES: Final[Mapping[type, str]] = {
    bool: "a boolean",
    dict: "an object",
    float: "a decimal",
    int: "an integer",
    list: "an array",
    str: "a string",
    type(None): "null",
}
_NAME: Final = "^[a-zA-Z0-9_-]+$"
_ANY_OBJECT: Final = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}


def check_chat_headers(headers: Mapping[str, str]) -> None:
    """Any key will do, but one there must be: as a bearer token, or in Azure's ``api-key``."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if not (bearer or headers.get("api-key", "").strip()):
        raise BadCallError(401, _NO_KEY)


def parse_chat_call(body: Mapping[str, Any]) -> SimulatedCall:
    """Check the fields as the API does; those that it does not check are welcome."""
    model = body.get("model")
    if model is None or model == "":
        raise BadCallError(400, "you must provide a model parameter")
    _check_type(model, str, "model")
    _check_ranges(body)
    messages = _messages(body)
    prompt, question = _prompt(body), _text_of(messages[-1].get("content"))
    return SimulatedCall(
        model=model,
        max_tokens=_limit(body),
        stream=_of_type(body, "stream", bool) or False,
        prompt=prompt,
        question=question,
        input_tokens=prompt_tokens(prompt),
        thinking=body.get("reasoning_effort") not in (None, "none", "minimal"),
        tools=_tools(body, question, answers_tools=messages[-1]["role"] == "tool"),
        schema=_schema(body, prompt),
        choices=body.get("n") or 1,
        stream_usage=_stream_usage(body),
    )


def _prompt(body: Mapping[str, Any]) -> str:
    parts = [body[key] for key in ("tools", "messages") if key in body]
    return json.dumps(parts, ensure_ascii=False, sort_keys=True)


def _missing(name: str) -> BadCallError:
    message = f"Missing required parameter: '{name}'."
    return BadCallError(400, message, param=name, code="missing_required_parameter")


def _unfit(name: str, problem: str, code: str) -> BadCallError:
    return BadCallError(400, f"Invalid {problem}", param=name, code=code)


def _check_type(value: Any, kind: type | tuple[type, ...], name: str) -> None:
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return
    wanted = _JSON_NAMES[kind if isinstance(kind, type) else kind[-1]]
    got = _JSON_NAMES[type(value)]
    problem = f"type for '{name}': expected {wanted}, but got {got} instead."
    raise _unfit(name, problem, "invalid_type")


def _of_type(body: Mapping[str, Any], key: str, kind: type, *, within: str = "") -> Any:
    """The value of an optional field; null is as good as nothing."""
    value = body.get(key)
    if value is not None:
        _check_type(value, kind, within + key)
    return value


def _needed(body: Mapping[str, Any], key: str, kind: type, *, within: str = "") -> Any:
    value = _of_type(body, key, kind, within=within)
    if value is None:
        raise _missing(within + key)
    return value


def _objects(values: Sequence[Any], name: str) -> list[Mapping[str, Any]]:
    if not values:
        problem = "Expected an array with minimum length 1, but got an empty array instead."
        raise _unfit(name, f"'{name}': empty array. {problem}", "empty_array")
    for n, value in enumerate(values):
        _check_type(value, dict, f"{name}[{n}]")
    return list(values)


def _check_ranges(body: Mapping[str, Any]) -> None:
    for name, (kind, low, high) in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        _check_type(value, kind, name)
        word = "integer" if kind is int else "decimal"
        if value < low:
            problem = f"below minimum value. Expected a value >= {low}, but got {value} instead."
            raise _unfit(name, f"'{name}': {word} {problem}", f"{word}_below_min_value")
        if high is not None and value > high:
            problem = f"above maximum value. Expected a value <= {high}, but got {value} instead."
            raise _unfit(name, f"'{name}': {word} {problem}", f"{word}_above_max_value")


def _limit(body: Mapping[str, Any]) -> int | None:
    old, new = body.get("max_tokens"), body.get("max_completion_tokens")
    if old is not None and new is not None:
        message = (
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        )
        raise BadCallError(400, message, param="max_tokens", code="invalid_parameter_combination")
    return old if new is None else new


def _stream_usage(body: Mapping[str, Any]) -> bool:
    options = _of_type(body, "stream_options", dict)
    if options is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadCallError(400, message, param="stream_options")
    return bool((options or {}).get("include_usage"))


def _messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    messages = _objects(_needed(body, "messages", list), "messages")
    waited_for: list[str] = []
    for n, message in enumerate(messages):
        role = _needed(message, "role", str, within=f"messages[{n}].")
        if role not in _ROLES:
            *others, last = (f"'{role}'" for role in _ROLES)
            supported = f"Supported values are: {', '.join(others)}, and {last}."
            raise _unfit(f"messages[{n}].role", f"value: '{role}'. {supported}", "invalid_value")
        if role == "tool":
            _check_answered(message, waited_for, n)
        elif waited_for:
            raise _unanswered(waited_for, n)
        _check_content(message, n)
        if role == "assistant":
            waited_for = _calls(message, n)
    if waited_for:
        raise _unanswered(waited_for, len(messages))
    return messages


def _check_answered(message: Mapping[str, Any], waited_for: list[str], n: int) -> None:
    id_ = message.get("tool_call_id")
    if id_ is None:
        problem = "messages with role 'tool' must have a 'tool_call_id'."
        raise BadCallError(
            400,
            f"Missing parameter 'tool_call_id': {problem}",
            param=f"messages.[{n}].tool_call_id",
        )
    if id_ not in waited_for:
        problem = "must be a response to a preceeding message with 'tool_calls'."  # its spelling
        message_ = f"Invalid parameter: messages with role 'tool' {problem}"
        raise BadCallError(400, message_, param=f"messages.[{n}].role")
    waited_for.remove(id_)


def _unanswered(ids: Sequence[str], n: int) -> BadCallError:
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        f"{', '.join(ids)}"
    )
    return BadCallError(400, message, param=f"messages.[{n}].role")


def _check_content(message: Mapping[str, Any], n: int) -> None:
    content = message.get("content")
    if content is None:
        if message["role"] == "assistant" and any(
            message.get(k) for k in ("tool_calls", "refusal")
        ):
            return
        problem = "value for 'content': expected a string, got null."
        raise BadCallError(400, f"Invalid {problem}", param=f"messages.[{n}].content")
    if isinstance(content, str):
        return
    name = f"messages[{n}].content"
    _check_type(content, list, name)
    for m, part in enumerate(_objects(content, name)):
        _needed(part, "type", str, within=f"{name}[{m}].")


def _calls(message: Mapping[str, Any], n: int) -> list[str]:
    within = f"messages[{n}]."
    calls = _of_type(message, "tool_calls", list, within=within)
    if calls is None:
        return []
    name = f"{within}tool_calls"
    return [
        _needed(call, "id", str, within=f"{name}[{m}].")
        for m, call in enumerate(_objects(calls, name))
    ]


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text")) for part in parts if part["type"] == "text")


def _tools(
    body: Mapping[str, Any], question: str, *, answers_tools: bool
) -> tuple[SimulatedTool, ...]:
    for key in ("tool_choice", "parallel_tool_calls"):
        if body.get(key) not in (None, "none") and not body.get("tools"):
            problem = f"value for '{key}': '{key}' is only allowed when 'tools' are specified."
            raise BadCallError(400, f"Invalid {problem}", param=key)
    given = _of_type(body, "tools", list)
    tools = [] if given is None else _functions(_objects(given, "tools"))
    parallel = _of_type(body, "parallel_tool_calls", bool) is not False
    choice, tools = _choice(body.get("tool_choice"), tools)
    return chosen_tools(
        tools,
        choice=choice,
        question=question,
        answers_tools=answers_tools,
        parallel=parallel,
    )


def _functions(tools: Sequence[Mapping[str, Any]]) -> list[SimulatedTool]:
    functions = []
    for n, tool in enumerate(tools):
        if _needed(tool, "type", str, within=f"tools[{n}].") != "function":
            continue
        function = _needed(tool, "function", dict, within=f"tools[{n}].")
        name = _needed(function, "name", str, within=f"tools[{n}].function.")
        _check_name(name, f"tools[{n}].function.name")
        schema = _of_type(function, "parameters", dict, within=f"tools[{n}].function.")
        functions.append(SimulatedTool(name=name, schema=schema or {"type": "object"}))
    return functions


def _check_name(name: str, path: str) -> None:
    if re.fullmatch(_NAME, name) is None:
        problem = f"Expected a string that matches the pattern '{_NAME}'."
        raise _unfit(path, f"'{path}': string does not match pattern. {problem}", "invalid_value")


def _choice(
    choice: Any, tools: list[SimulatedTool]
) -> tuple[Literal["auto", "any", "none"] | SimulatedTool, list[SimulatedTool]]:
    """How tools are chosen, and from which."""
    match choice:
        case None | "auto":
            return "auto", tools
        case "none":
            return "none", tools
        case "required":
            return "any", tools
        case {"type": "function", "function": {"name": name}}:
            return _named_tool(name, tools), tools
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [*allowed]}}:
            names = [each["function"].get("name") for each in allowed if _is_function(each)]
            kept = [tool for tool in tools if tool.name in names]
            return ("any" if mode == "required" else "auto"), kept
        case _:
            problem = "Supported values are: 'none', 'auto', and 'required'."
            raise _unfit("tool_choice", f"value: '{choice}'. {problem}", "invalid_value")


def _named_tool(name: Any, tools: Sequence[SimulatedTool]) -> SimulatedTool:
    for tool in tools:
        if tool.name == name:
            return tool
    raise BadCallError(
        400, f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice"
    )


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("function"), dict)


def _schema(body: Mapping[str, Any], prompt: str) -> Any:
    wanted = _of_type(body, "response_format", dict) or {"type": "text"}
    match _needed(wanted, "type", str, within="response_format."):
        case "text":
            return None
        case "json_object":
            if "json" not in prompt.lower():
                problem = "to use 'response_format' of type 'json_object'."
                message = f"'messages' must contain the word 'json' in some form, {problem}"
                raise BadCallError(400, message, param="messages")
            return _ANY_OBJECT
        case "json_schema":
            within = "response_format.json_schema"
            given = _needed(wanted, "json_schema", dict, within="response_format.")
            _check_name(_needed(given, "name", str, within=f"{within}."), f"{within}.name")
            schema = _of_type(given, "schema", dict, within=f"{within}.")
            return _ANY_OBJECT if schema is None else schema
        case kind:
            problem = "Supported values are: 'json_object', 'json_schema', and 'text'."
            path = "response_format.type"
            raise _unfit(path, f"value: '{kind}'. {problem}", "invalid_value")
