"""A request of Chat Completions as one of the Messages API.

What would change the meaning makes the request unfit, what only changes cost, speed or sampling is
dropped. ``docs/dialects.md`` has the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from failsoft.dialects.answer_schema import closed
from failsoft.dialects.chat_format import DEFAULT_EFFORTS, Efforts, Translated, Unfit
from failsoft.dialects.json_values import (
    DataUrl,
    arguments_object,
    mapping_in,
    messages_tool_id,
    text_in,
)
from failsoft.dialects.normal_form import normal_form
from failsoft.dialects.signed_thought import think_within, without_unsigned_thinking

__all__ = ["messages_request", "normal_form", "unfit_for_messages", "without_unsigned_thinking"]

_TRANSLATED = frozenset(
    {
        "max_completion_tokens", "max_tokens", "messages", "model", "parallel_tool_calls",
        "reasoning_effort", "response_format", "safety_identifier", "stop", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_p", "user",
    }
)  # fmt: skip
_DROPPED = frozenset(
    {
        "frequency_penalty", "logit_bias", "metadata", "min_p", "prediction", "presence_penalty",
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "repetition_penalty",
        "seed", "service_tier", "store", "verbosity",
    }
)  # fmt: skip
# Of other fields these ask for nothing.
_IDLE: Mapping[str, object] = {"n": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"]}
_MESSAGE = frozenset({"role", "content", "tool_calls", "tool_call_id", "refusal"})
_NO_MORE = ("audio", "function_call")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_NO_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}}
_PDF = "application/pdf"


def unfit_for_messages(body: Mapping[str, Any]) -> str | None:
    """The field of a Chat body that the Messages API cannot be sent, if there is one.

    >>> unfit_for_messages({"messages": [], "n": 2})
    'n'
    """
    try:
        messages_request(body)
    except Unfit as unfit:
        return unfit.field
    return None


def messages_request(
    body: Mapping[str, Any], efforts: Efforts = DEFAULT_EFFORTS, max_tokens: int = 4096
) -> Translated:
    """The body of a Messages request for a Chat body, without model and stream.

    ``max_tokens``, which the Messages API asks for, is for a body that sets no limit; a budget of
    thought comes on top of it. Raises :class:`Unfit` where :func:`unfit_for_messages` names a
    field, and nothing else.

    >>> asked = {"messages": [{"role": "user", "content": "Hi"}], "temperature": 1.5}
    >>> messages_request(asked).body["messages"], messages_request(asked).changes
    ([{'role': 'user', 'content': 'Hi'}], ('temperature 1.5 → 1',))
    """
    return _MessagesRequest().translated(body, efforts, max_tokens)


class _MessagesRequest:
    """One translation: the system blocks and messages so far, and what was changed."""

    __slots__ = ("_changes", "_messages", "_results", "_system")

    def __init__(self) -> None:
        self._changes: dict[str, None] = {}  # each once, in order
        self._system: list[Any] = []  # the content of each system message
        self._messages: list[dict[str, Any]] = []
        self._results: list[Any] | None = None  # the content of a user message of results alone

    def translated(self, body: Mapping[str, Any], efforts: Efforts, limit: int) -> Translated:
        self._check_fields(body)
        messages: dict[str, Any] = {}
        self._history(body.get("messages"))
        if system := self._system_content():
            messages["system"] = system
        messages["messages"] = self._messages
        self._tools(body, messages)
        self._limits(body, messages)
        self._schema(body, messages)
        self._thought(body, messages, efforts, limit)
        return Translated(messages, tuple(self._changes))

    def _change(self, words: str) -> None:
        self._changes[words] = None

    def _check_fields(self, body: Mapping[str, Any]) -> None:
        for field, value in body.items():
            if field in _TRANSLATED or value in (None, [], {}, _IDLE.get(field)):
                continue
            if field not in _DROPPED:
                raise Unfit(field)
            self._change(f"{field} dropped")

    # The messages.

    def _history(self, messages: Any) -> None:
        if not isinstance(messages, list | tuple):
            raise Unfit("messages")
        for number, message in enumerate(messages):
            where = f"messages[{number}]"
            if not isinstance(message, (dict, Mapping)):
                raise Unfit(where)
            self._check_message(message, where)
            self._message(message, where)
        if self._messages and self._messages[-1]["role"] == "assistant":
            raise Unfit(f"messages[{len(messages) - 1}]")  # it would be gone on with: a prefill

    def _check_message(self, message: Mapping[str, Any], where: str) -> None:
        for field, value in message.items():
            if field in _MESSAGE or value is None:
                continue
            if field in _NO_MORE:
                raise Unfit(f"{where}.{field}")
            self._change(f"messages.{field} dropped")

    def _message(self, message: Mapping[str, Any], where: str) -> None:
        role, content = message.get("role"), message.get("content")
        if role == "user":
            self._user(self._content(content, f"{where}.content"))
        elif role == "assistant":
            self._assistant(message, where)
        elif role == "tool":
            self._tool_result(message, where)
        elif role in ("system", "developer") and not self._messages:
            if said := self._said(self._texts(content, f"{where}.content")):
                self._system.append(said)
        else:
            raise Unfit(f"{where}.role")

    def _system_content(self) -> Any:
        if len(self._system) == 1:
            return self._system[0]
        return [block for content in self._system for block in _as_blocks(content)]

    def _user(self, content: Any) -> None:
        if not (content := self._said(content)):
            self._change("a message without content dropped")
        elif self._results is None:
            self._messages.append({"role": "user", "content": content})
        else:  # results and what follows them are one turn
            self._results += _as_blocks(content)
            self._results = None

    def _assistant(self, message: Mapping[str, Any], where: str) -> None:
        content = message.get("content")
        content = "" if content is None else self._texts(content, f"{where}.content")
        if refusal := text_in(message, "refusal"):
            content = [*_as_blocks(content), {"type": "text", "text": refusal}]
        content = self._said(content)
        calls = message.get("tool_calls")
        if calls:
            if not isinstance(calls, list):
                raise Unfit(f"{where}.tool_calls")
            texts = _as_blocks(content) if content else []
            uses = [self._call(c, f"{where}.tool_calls[{n}]") for n, c in enumerate(calls)]
            content = texts + uses
        if content:
            self._results = None
            self._messages.append({"role": "assistant", "content": content})
        else:
            self._change("a message without content dropped")

    def _call(self, call: Any, where: str) -> dict[str, Any]:
        if not isinstance(call, (dict, Mapping)):
            raise Unfit(where)
        if call.get("type", "function") != "function":
            raise Unfit(f"{where}.type")
        self._drop_extras(call, ("id", "type", "function", "index"), "tool_calls.")
        ident, function = call.get("id"), mapping_in(call, "function")
        name = function.get("name")
        if not isinstance(ident, str) or not ident:
            raise Unfit(f"{where}.id")
        if not isinstance(name, str) or not name:
            raise Unfit(f"{where}.function.name")
        arguments = function.get("arguments")
        given = arguments_object(arguments)
        if given.get("arguments") is arguments and arguments is not None:
            self._change("arguments of a tool call that are no JSON object put into one")
        return {"type": "tool_use", "id": self._id(ident), "name": name, "input": given}

    def _id(self, given: str) -> str:
        fitted = messages_tool_id(given)
        if fitted != given:
            self._change("ids of tool calls rewritten in the letters allowed there")
        return fitted

    def _tool_result(self, message: Mapping[str, Any], where: str) -> None:
        ident, content = message.get("tool_call_id"), message.get("content")
        if not isinstance(ident, str) or not ident:
            raise Unfit(f"{where}.tool_call_id")
        if self._results is None:
            self._results = []
            self._messages.append({"role": "user", "content": self._results})
        content = "" if content is None else self._texts(content, f"{where}.content")
        content = self._said(content) or ""
        result = {"type": "tool_result", "tool_use_id": self._id(ident), "content": content}
        self._results.append(result)

    # The parts.

    def _texts(self, content: Any, where: str) -> Any:
        """A text, or a list of text parts, as content."""
        if isinstance(content, str):
            return content
        if not isinstance(content, list | tuple):
            raise Unfit(where)
        return _flat([self._text(part, f"{where}[{n}]") for n, part in enumerate(content)])

    def _content(self, content: Any, where: str) -> Any:
        if isinstance(content, str):
            return content
        if not isinstance(content, list | tuple):
            raise Unfit(where)
        return _flat([self._part(part, f"{where}[{n}]") for n, part in enumerate(content)])

    def _part(self, part: Any, where: str) -> dict[str, Any]:
        kind = part.get("type") if isinstance(part, (dict, Mapping)) else None
        if kind == "image_url":
            return self._image(part, where)
        return self._file(part, where) if kind == "file" else self._text(part, where)

    def _said(self, content: Any) -> Any:
        """Content without blank texts, which the Messages API refuses."""
        kept = _flat([block for block in _as_blocks(content) if not _is_blank_text(block)])
        if kept != content and any(b.get("text") for b in _as_blocks(content) if _is_blank_text(b)):
            self._change("blank texts dropped")
        return kept

    def _text(self, part: Any, where: str) -> dict[str, Any]:
        kind = part.get("type") if isinstance(part, (dict, Mapping)) else None
        if kind not in ("text", "refusal"):
            raise Unfit(where)
        text = part.get(kind)
        if not isinstance(text, str):
            raise Unfit(f"{where}.{kind}")
        self._drop_extras(part, ("type", kind))
        return {"type": "text", "text": text}

    def _drop_extras(self, part: Mapping[str, Any], known: tuple[str, ...], name: str = "") -> None:
        for field, value in part.items():
            if field not in known and value is not None:
                self._change(f"{name}{field} dropped")

    def _image(self, part: Mapping[str, Any], where: str) -> dict[str, Any]:
        image = mapping_in(part, "image_url")
        url = image.get("url")
        self._drop_extras(part, ("type", "image_url"))
        self._drop_extras(image, ("url",), "image_url.")
        if not isinstance(url, str):
            raise Unfit(f"{where}.image_url.url")
        if not url.startswith("data:"):
            return {"type": "image", "source": {"type": "url", "url": url}}
        inline = DataUrl.read(url)
        if inline is None or not inline.media_type.startswith("image/"):
            raise Unfit(f"{where}.image_url.url")
        source = {"type": "base64", "media_type": inline.media_type, "data": inline.data}
        return {"type": "image", "source": source}

    def _file(self, part: Mapping[str, Any], where: str) -> dict[str, Any]:
        file = mapping_in(part, "file")
        inline = DataUrl.read(text_in(file, "file_data"))
        if inline is None or inline.media_type != _PDF:
            raise Unfit(f"{where}.file")
        self._drop_extras(part, ("type", "file"))
        source = {"type": "base64", "media_type": _PDF, "data": inline.data}
        name = text_in(file, "filename")
        title = {"title": name} if name not in ("", "document.pdf") else {}
        return {"type": "document", "source": source, **title}

    # The other fields.

    def _tools(self, body: Mapping[str, Any], messages: dict[str, Any]) -> None:
        tools = body.get("tools")
        if tools is not None and not isinstance(tools, list | tuple):
            raise Unfit("tools")
        if tools:
            messages["tools"] = [self._tool(tool, f"tools[{n}]") for n, tool in enumerate(tools)]
        choice = body.get("tool_choice")
        if choice is not None:
            messages["tool_choice"] = _tool_choice(choice)
        if body.get("parallel_tool_calls") is False:
            choice = messages.get("tool_choice") or {"type": "auto"}
            if tools and choice["type"] != "none":
                messages["tool_choice"] = {**choice, "disable_parallel_tool_use": True}
            else:
                self._change("parallel_tool_calls dropped: no tool is called")

    def _tool(self, tool: Any, where: str) -> dict[str, Any]:
        if not isinstance(tool, (dict, Mapping)):
            raise Unfit(where)
        if tool.get("type") != "function":
            raise Unfit(f"{where}.type")
        function = mapping_in(tool, "function")
        name = function.get("name")
        if not (isinstance(name, str) and _TOOL_NAME.fullmatch(name)):
            raise Unfit(f"{where}.function.name")
        self._drop_extras(tool, ("type", "function"), "tools.")
        known = ("name", "description", "parameters", "strict")
        self._drop_extras(function, known, "tools.function.")
        translated: dict[str, Any] = {"name": name}
        if (description := function.get("description")) is not None:
            translated["description"] = description
        schema = function.get("parameters")
        translated["input_schema"] = dict(_NO_SCHEMA) if schema is None else schema
        return {**translated, **({"strict": True} if function.get("strict") else {})}

    def _limits(self, body: Mapping[str, Any], messages: dict[str, Any]) -> None:
        for field in ("top_p", "top_k"):
            if (value := body.get(field)) is not None:
                messages[field] = value
        if "top_p" in messages and body.get("temperature") is not None:
            del messages["top_p"]
            self._change("top_p dropped: not taken with temperature")
        temperature = body.get("temperature")
        if isinstance(temperature, int | float) and temperature > 1:
            self._change(f"temperature {temperature} → 1")
            temperature = 1
        if temperature is not None:
            messages["temperature"] = temperature
        if stop := body.get("stop"):
            stops = [stop] if isinstance(stop, str) else stop
            if not isinstance(stops, list | tuple) or any(map(_is_blank, stops)):
                raise Unfit("stop")
            messages["stop_sequences"] = list(stops)
        user, identifier = body.get("user"), body.get("safety_identifier")
        if user is not None and identifier is not None:
            self._change("safety_identifier dropped")
        if (known := user if user is not None else identifier) is not None:
            messages["metadata"] = {"user_id": known}

    def _schema(self, body: Mapping[str, Any], messages: dict[str, Any]) -> None:
        asked = body.get("response_format")
        if asked is None or asked == {"type": "text"}:
            return
        named = mapping_in(asked, "json_schema") if isinstance(asked, Mapping) else {}
        schema = named.get("schema")
        if not isinstance(schema, Mapping) or asked.get("type") != "json_schema":
            raise Unfit("response_format")
        known = ("name", "schema", "strict")
        self._drop_extras(named, known, "response_format.json_schema.")
        fitted = closed(schema)
        if fitted is not schema:
            self._change("objects of the response_format allow no other properties there")
        messages["output_config"] = {"format": {"type": "json_schema", "schema": fitted}}

    def _thought(
        self, body: Mapping[str, Any], messages: dict[str, Any], efforts: Efforts, limit: int
    ) -> None:
        """Thought and what is bound to it: ``max_tokens``, temperature, forced tools."""
        wanted, effort = body.get("max_completion_tokens"), body.get("reasoning_effort")
        wanted = body.get("max_tokens") if wanted is None else wanted
        thinks = isinstance(effort, str) and effort not in ("none", "minimal")
        if wanted is None:
            wanted = limit + efforts.budget(str(effort)) if thinks else limit
        messages["max_tokens"] = wanted
        if thinks:
            self._changes |= dict.fromkeys(think_within(messages, str(effort), efforts))
        elif effort not in (None, "none"):
            self._change(f"reasoning_effort {effort} → no thinking")


def _as_blocks(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _is_blank_text(block: Mapping[str, Any]) -> bool:
    return block["type"] == "text" and _is_blank(block["text"])


def _is_blank(text: object) -> bool:
    return isinstance(text, str) and not text.strip()


def _flat(blocks: list[dict[str, Any]]) -> Any:
    """Content made of blocks: a single text as itself."""
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def _tool_choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        name = mapping_in(choice, "function").get("name")
        if isinstance(name, str):
            return {"type": "tool", "name": name}
    raise Unfit("tool_choice")
