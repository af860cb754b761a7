"""A request of the Messages API as one of Chat Completions.

What would change the meaning makes the request unfit, what only changes cost, speed or sampling is
dropped. ``docs/dialects.md`` has the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from failsoft.dialects.answer_schema import is_strict
from failsoft.dialects.chat_format import (
    DEFAULT_EFFORTS,
    ChatFormat,
    Efforts,
    Translated,
    Unfit,
)
from failsoft.dialects.json_values import (
    DataUrl,
    json_text,
    mapping_in,
    nine_letter_id,
)

__all__ = ["chat_request", "error_text", "thought_effort", "unfit_for_chat"]

_TRANSLATED = frozenset(
    {
        "max_tokens", "messages", "metadata", "model", "output_config", "output_format",
        "stop_sequences", "stream", "system", "temperature", "thinking", "tool_choice", "tools",
        "top_p",
    }
)  # fmt: skip
_DROPPED = frozenset(
    {
        "betas", "cache_control", "context_management", "diagnostics", "service_tier", "speed",
        "top_k", "user_profile_id", "workspace_id",
    }
)  # fmt: skip
_MESSAGE = frozenset({"role", "content"})
_TEXT = frozenset({"type", "text", "citations"})
_MEDIA = frozenset({"type", "source", "citations", "title", "context"})
_TOOL_USE = frozenset({"type", "id", "name", "input"})
_SIGNED_TOOL_USE = _TOOL_USE | {"extra_content"}
_TOOL_RESULT = frozenset({"type", "tool_use_id", "content", "is_error"})
_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "allowed_callers"})
_TOOL_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
_OUTPUT_CONFIG = frozenset({"effort", "format"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_MOST_STOPS = 4  # OpenAI's own limit
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI's own limit
_PDF = "application/pdf"
# What Google documents for a call that its model did not make.
_UNSIGNED = {"google": {"thought_signature": "skip_thought_signature_validator"}}
_ELSEWHERE = "The result is in the next message."


def unfit_for_chat(body: Mapping[str, Any], form: ChatFormat) -> str | None:
    """The field of a Messages body that a service of this form cannot be sent, if there is one.

    >>> unfit_for_chat({"messages": [], "tools": [{"type": "web_search_20250305"}]}, ChatFormat())
    'tools[0].type'
    """
    try:
        chat_request(body, form)
    except Unfit as unfit:
        return unfit.field
    return None


def chat_request(
    body: Mapping[str, Any], form: ChatFormat, efforts: Efforts = DEFAULT_EFFORTS
) -> Translated:
    """The body of a Chat Completions request for a Messages body, both without model and stream.

    Raises :class:`Unfit` where :func:`unfit_for_chat` names a field, and nothing else.

    >>> asked = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "top_k": 5}
    >>> body, changes = chat_request(asked, ChatFormat())
    >>> body["messages"], body["max_completion_tokens"], changes
    ([{'role': 'user', 'content': 'Hi'}], 9, ('top_k dropped',))
    """
    return _ChatRequest(form).translated(body, efforts)


def thought_effort(body: Mapping[str, Any], efforts: Efforts) -> str | None:
    """The ``reasoning_effort`` that a Messages body asks for: named, or by its budget."""
    named = mapping_in(body, "output_config").get("effort")
    if isinstance(named, str):
        return named
    thinking = mapping_in(body, "thinking")
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "enabled" and isinstance(budget, int):
        return efforts.named(budget)
    return None


def error_text(text: str) -> str:
    """The text of a tool's failure, which Chat Completions has no flag for."""
    return f"Error: {text}" if text else "Error"


class _ChatRequest:
    """One translation: the messages so far, and what was changed."""

    __slots__ = ("_changes", "_form", "_messages")

    def __init__(self, form: ChatFormat) -> None:
        self._form = form
        self._changes: dict[str, None] = {}  # each once, in order
        self._messages: list[dict[str, Any]] = []

    def translated(self, body: Mapping[str, Any], efforts: Efforts) -> Translated:
        self._check_fields(body)
        if system := body.get("system"):
            self._messages.append({"role": "system", "content": self._texts(system, "system")})
        self._history(body.get("messages"))
        chat: dict[str, Any] = {"messages": self._messages}
        self._tools(body, chat)
        self._limits(body, chat)
        self._schema(body, chat)
        self._effort(body, chat, efforts)
        chat["stream_options"] = {"include_usage": True}
        return Translated(chat, tuple(self._changes))

    def _change(self, words: str) -> None:
        self._changes[words] = None

    def _check_fields(self, body: Mapping[str, Any]) -> None:
        for field, value in body.items():
            if field not in _TRANSLATED and value not in (None, [], {}):
                if field not in _DROPPED:
                    raise Unfit(field)
                self._change(f"{field} dropped")

    def _drop_extras(self, block: Mapping[str, Any], known: frozenset[str], name: str = "") -> None:
        for field, value in block.items():
            if field not in known and value is not None:
                self._change(f"{name}{field} dropped")

    # The messages.

    def _history(self, messages: Any) -> None:
        if not isinstance(messages, list | tuple):
            raise Unfit("messages")
        number = 0
        try:
            for number, message in enumerate(messages):  # noqa: B007 - it names the place
                self._message(message)
        except Unfit as unfit:
            raise Unfit(f"messages[{number}]{unfit.field}") from None
        if self._messages and self._messages[-1]["role"] == "assistant":
            raise Unfit(f"messages[{len(messages) - 1}]")  # a prefill

    # Places are named from the message on, and put together where one does not fit.

    def _message(self, message: Any) -> None:
        if not isinstance(message, (dict, Mapping)):
            raise Unfit("")
        if len(message) > 2:  # noqa: PLR2004 - role and content
            self._drop_extras(message, _MESSAGE, "messages.")
        role, content = message.get("role"), message.get("content")
        if role == "system":
            self._messages.append({"role": "system", "content": self._texts(content, ".content")})
        elif role not in ("user", "assistant"):
            raise Unfit(".role")
        elif isinstance(content, str):
            self._messages.append({"role": role, "content": content})
        elif not isinstance(content, list | tuple):
            raise Unfit(".content")
        elif role == "user":
            self._user(content)
        else:
            self._assistant(content)

    def _user(self, blocks: Any) -> None:
        parts: list[dict[str, Any]] = []
        shown: list[dict[str, Any]] = []  # what tools returned that is no text
        number = 0
        try:
            for number, block in enumerate(blocks):  # noqa: B007 - it names the place
                kind = block.get("type") if isinstance(block, (dict, Mapping)) else None
                if kind == "tool_result":
                    if parts:
                        self._change("tool results moved to the start of their message")
                    self._tool_result(block, shown)
                else:
                    self._part(block, kind, "", parts)
        except Unfit as unfit:
            raise Unfit(f".content[{number}]{unfit.field}") from None
        if shown or parts:
            self._messages.append({"role": "user", "content": self._joined(shown + parts)})
        elif not blocks:
            self._change("a message without content dropped")

    def _assistant(self, blocks: Any) -> None:
        texts: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        number = 0
        try:
            for number, block in enumerate(blocks):  # noqa: B007 - it names the place
                self._spoken(block, texts, calls)
        except Unfit as unfit:
            raise Unfit(f".content[{number}]{unfit.field}") from None
        if not (texts or calls):
            self._change("a message without content dropped")
            return
        message = {"role": "assistant", "content": self._joined(texts) if texts else None}
        if calls:
            message["tool_calls"] = calls
        self._messages.append(message)

    def _spoken(self, block: Any, texts: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
        kind = block.get("type") if isinstance(block, (dict, Mapping)) else None
        if kind == "text":
            if calls:
                self._change("text after a tool call moved before it")
            self._text(block, "", texts)
        elif kind == "tool_use":
            calls.append(self._call(block))
        elif kind in ("thinking", "redacted_thinking"):
            self._change("thinking in the history dropped")
        else:
            raise Unfit("")

    def _texts(self, content: Any, where: str) -> Any:
        """A text, or a list of text blocks, as the content of a message."""
        if isinstance(content, str):
            return content
        if not isinstance(content, list | tuple):
            raise Unfit(where)
        parts: list[dict[str, Any]] = []
        for number, block in enumerate(content):
            if not isinstance(block, (dict, Mapping)) or block.get("type") != "text":
                raise Unfit(f"{where}[{number}]")
            self._text(block, f"{where}[{number}]", parts)
        return self._joined(parts)

    def _joined(self, parts: list[dict[str, Any]]) -> Any:
        """Content made of parts: a single text as itself, which every service takes."""
        if len(parts) == 1 and parts[0]["type"] == "text":
            return parts[0]["text"]
        if self._form.takes_text_parts or any(part["type"] != "text" for part in parts):
            return parts
        self._change("several texts joined to one")
        return "\n\n".join(part["text"] for part in parts)

    # The blocks.

    def _part(self, block: Any, kind: object, where: str, parts: list[dict[str, Any]]) -> None:
        if kind == "text":
            self._text(block, where, parts)
        elif kind == "image" and self._form.takes_images:
            self._image(block, where, parts)
        elif kind == "document":
            self._document(block, where, parts)
        else:
            raise Unfit(where)

    def _text(self, block: Mapping[str, Any], where: str, parts: list[dict[str, Any]]) -> None:
        text = block.get("text")
        if not isinstance(text, str):
            raise Unfit(f"{where}.text")
        if len(block) > 2:  # noqa: PLR2004 - type and text
            if block.get("citations"):
                raise Unfit(f"{where}.citations")
            self._drop_extras(block, _TEXT)
        parts.append({"type": "text", "text": text})

    def _image(self, block: Mapping[str, Any], where: str, parts: list[dict[str, Any]]) -> None:
        self._drop_extras(block, _MEDIA, "image.")
        source = mapping_in(block, "source")
        url = source.get("url")
        if source.get("type") == "base64":
            url = str(self._file(source, where))
        elif source.get("type") != "url" or not isinstance(url, str):
            raise Unfit(f"{where}.source")
        parts.append({"type": "image_url", "image_url": {"url": url}})

    def _file(self, source: Mapping[str, Any], where: str) -> DataUrl:
        media_type, data = source.get("media_type"), source.get("data")
        if not (isinstance(media_type, str) and isinstance(data, str)):
            raise Unfit(f"{where}.source")
        return DataUrl(media_type, data)

    def _document(self, block: Mapping[str, Any], where: str, parts: list[dict[str, Any]]) -> None:
        if mapping_in(block, "citations").get("enabled"):
            raise Unfit(f"{where}.citations")
        self._drop_extras(block, _MEDIA, "document.")
        source = mapping_in(block, "source")
        title, context = block.get("title"), block.get("context")
        kind, inside = source.get("type"), source.get("content" if "content" in source else "data")
        if kind != "base64" and isinstance(title, str) and title:
            parts.append({"type": "text", "text": title})
        if isinstance(context, str) and context:
            parts.append({"type": "text", "text": context})
        if kind in ("text", "content") and isinstance(inside, str):
            parts.append({"type": "text", "text": inside})
        elif kind == "content" and isinstance(inside, list):
            self._inside(inside, f"{where}.source.content", parts)
        else:
            self._pdf(source, title, where, parts)

    def _inside(self, blocks: list[Any], where: str, parts: list[dict[str, Any]]) -> None:
        for number, block in enumerate(blocks):
            kind = block.get("type") if isinstance(block, (dict, Mapping)) else None
            if kind == "document":
                raise Unfit(f"{where}[{number}]")
            self._part(block, kind, f"{where}[{number}]", parts)

    def _pdf(
        self, source: Mapping[str, Any], title: object, where: str, parts: list[dict[str, Any]]
    ) -> None:
        if source.get("type") != "base64" or not self._form.takes_files:
            raise Unfit(f"{where}.source")
        file = self._file(source, where)
        if file.media_type != _PDF:
            raise Unfit(f"{where}.source.media_type")
        name = title if isinstance(title, str) and title else "document.pdf"
        parts.append({"type": "file", "file": {"filename": name, "file_data": str(file)}})

    def _call(self, block: Mapping[str, Any]) -> dict[str, Any]:
        ident, name, given = block.get("id"), block.get("name"), block.get("input")
        for field, value in (("id", ident), ("name", name)):
            if not isinstance(value, str) or not value:
                raise Unfit(f".{field}")
        if len(block) > len(_TOOL_USE):
            if mapping_in(block, "caller").get("type", "direct") != "direct":
                raise Unfit(".caller")
            signed = _SIGNED_TOOL_USE if self._form.signed_tool_calls else _TOOL_USE
            self._drop_extras(block, signed, "tool_use.")
        try:
            arguments = (
                given if isinstance(given, str) else json_text({} if given is None else given)
            )
        except ValueError:
            raise Unfit(".input") from None
        function = {"name": name, "arguments": arguments}
        call = {"id": self._id(str(ident)), "type": "function", "function": function}
        if self._form.signed_tool_calls:
            call["extra_content"] = mapping_in(block, "extra_content") or _UNSIGNED
        return call

    def _id(self, given: str) -> str:
        if not self._form.nine_letter_tool_ids:
            return given
        fitted = nine_letter_id(given)
        if fitted != given:
            self._change("ids of tool calls rewritten in nine letters")
        return fitted

    def _tool_result(self, block: Mapping[str, Any], shown: list[dict[str, Any]]) -> None:
        ident, content = block.get("tool_use_id"), block.get("content")
        if not isinstance(ident, str) or not ident:
            raise Unfit(".tool_use_id")
        self._drop_extras(block, _TOOL_RESULT, "tool_result.")
        if content is None or isinstance(content, str):
            texts = [{"type": "text", "text": content or ""}]
        else:
            texts = self._returned(content, ident, shown)
        if block.get("is_error"):
            self._change("tool_result.is_error written into its text")
            texts[0] = {"type": "text", "text": error_text(texts[0]["text"])}
        tool = {"role": "tool", "tool_call_id": self._id(ident), "content": self._joined(texts)}
        self._messages.append(tool)

    def _returned(
        self, blocks: Any, ident: str, shown: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """The texts that a tool returned, at least one; anything else goes to ``shown``."""
        if not isinstance(blocks, list | tuple):
            raise Unfit(".content")
        parts: list[dict[str, Any]] = []
        for number, block in enumerate(blocks):
            kind = block.get("type") if isinstance(block, (dict, Mapping)) else None
            self._part(block, kind, f".content[{number}]", parts)
        texts = [part for part in parts if part["type"] == "text"]
        if len(texts) < len(parts):
            self._change("images and files of tool results moved to a user message")
            shown.append({"type": "text", "text": f"From the result of {ident}:"})
            shown += [part for part in parts if part["type"] != "text"]
        return texts or [{"type": "text", "text": _ELSEWHERE if parts else ""}]

    # The other fields.

    def _tools(self, body: Mapping[str, Any], chat: dict[str, Any]) -> None:
        tools = body.get("tools")
        if tools is not None and not isinstance(tools, list | tuple):
            raise Unfit("tools")
        if tools:
            chat["tools"] = [self._tool(tool, f"tools[{n}]") for n, tool in enumerate(tools)]
        choice = body.get("tool_choice")
        if choice is not None:
            self._tool_choice(mapping_in(body, "tool_choice"), chat)

    def _tool(self, tool: Any, where: str) -> dict[str, Any]:
        if not isinstance(tool, (dict, Mapping)):
            raise Unfit(where)
        if tool.get("type") not in (None, "custom"):
            raise Unfit(f"{where}.type")  # a tool of the provider's own
        name, callers = tool.get("name"), tool.get("allowed_callers")
        if not (isinstance(name, str) and _TOOL_NAME.fullmatch(name)):
            raise Unfit(f"{where}.name")
        if isinstance(callers, list) and callers and "direct" not in callers:
            raise Unfit(f"{where}.allowed_callers")
        self._drop_extras(tool, _TOOL, "tools.")
        function: dict[str, Any] = {"name": name}
        for field, title in (("description", "description"), ("input_schema", "parameters")):
            if (value := tool.get(field)) is not None:
                function[title] = value
        if tool.get("strict"):
            if is_strict(tool.get("input_schema")):
                function["strict"] = True
            else:
                self._change("tools.strict dropped: a schema leaves properties optional or open")
        return {"type": "function", "function": function}

    def _tool_choice(self, choice: Mapping[str, Any], chat: dict[str, Any]) -> None:
        kind, name = choice.get("type"), choice.get("name")
        if kind == "tool" and isinstance(name, str):
            chat["tool_choice"] = {"type": "function", "function": {"name": name}}
        elif isinstance(kind, str) and kind in _CHOICES:
            chat["tool_choice"] = _CHOICES[kind]
        else:
            raise Unfit("tool_choice")
        self._drop_extras(choice, _TOOL_CHOICE, "tool_choice.")
        if choice.get("disable_parallel_tool_use"):
            if self._form.takes_parallel_tool_calls:
                chat["parallel_tool_calls"] = False
            else:
                self._change("tool_choice.disable_parallel_tool_use dropped")

    def _limits(self, body: Mapping[str, Any], chat: dict[str, Any]) -> None:
        if (most := body.get("max_tokens")) is not None:
            chat[self._form.max_tokens_field] = most
        for field in ("temperature", "top_p"):
            if (value := body.get(field)) is not None:
                chat[field] = value
        if stops := body.get("stop_sequences"):
            if not isinstance(stops, list | tuple) or len(stops) > _MOST_STOPS:
                raise Unfit("stop_sequences")
            chat["stop"] = list(stops)
        metadata = mapping_in(body, "metadata")
        self._drop_extras(metadata, frozenset({"user_id"}), "metadata.")
        if (user := metadata.get("user_id")) is not None:
            if self._form.takes_user:
                chat["user"] = user
            else:
                self._change("metadata.user_id dropped")

    def _schema(self, body: Mapping[str, Any], chat: dict[str, Any]) -> None:
        config, asked, where = body.get("output_config"), body.get("output_format"), "output_format"
        if config is not None:
            unknown = config.keys() - _OUTPUT_CONFIG if isinstance(config, Mapping) else {""}
            if unknown:
                raise Unfit(f"output_config.{min(unknown)}".rstrip("."))
            if config.get("format") is not None:
                asked, where = config["format"], "output_config.format"
        if asked is None:
            return
        schema = asked.get("schema") if isinstance(asked, Mapping) else None
        known = isinstance(schema, Mapping) and asked.get("type") == "json_schema"
        if not known or not self._form.takes_json_schema:
            raise Unfit(where)
        named = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
        if not named["strict"]:
            self._change(f"{where} is not strict: its schema leaves properties optional or open")
        chat["response_format"] = {"type": "json_schema", "json_schema": named}

    def _effort(self, body: Mapping[str, Any], chat: dict[str, Any], efforts: Efforts) -> None:
        thinking = mapping_in(body, "thinking")
        if "display" in thinking:
            self._change("thinking.display dropped")
        effort = thought_effort(body, efforts)
        if effort is None:
            if thinking:
                self._change(f"thinking {thinking.get('type')} dropped")
        elif not self._form.takes_reasoning_effort:
            self._change("thinking dropped: no reasoning_effort there")
        else:
            chat["reasoning_effort"] = effort
            if (budget := thinking.get("budget_tokens")) is not None:
                self._change(f"thinking.budget_tokens {budget} → reasoning_effort {effort}")
