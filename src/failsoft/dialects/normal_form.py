"""What survives of a Messages request on the way to Chat Completions and back.

Written from the rules, not by translating twice: the tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from failsoft.dialects.answer_schema import closed, is_strict
from failsoft.dialects.chat_format import DEFAULT_EFFORTS, Efforts
from failsoft.dialects.chat_request import error_text, thought_effort
from failsoft.dialects.json_values import (
    DataUrl,
    arguments_object,
    mapping_in,
    messages_tool_id,
    text_in,
)
from failsoft.dialects.signed_thought import think_within

__all__ = ["normal_form"]

_KEPT = ("max_tokens", "temperature", "top_p")


def normal_form(body: Mapping[str, Any], efforts: Efforts = DEFAULT_EFFORTS) -> dict[str, Any]:
    """A Messages body as it comes back from Chat Completions, of one that fits there and back.

    - A content of one text block is that text. Cache marks and every field that is dropped are
      gone.
    - Results of tools come first in their turn; the user message after them is part of it. Their
      images and files follow as blocks of the user, an error is written into the text.
    - An assistant's texts come before its tool calls; its thinking is gone.
    - A document of text is text; the context of a document is a text before it.
    - A budget of thought is that of its effort in ``efforts``, and bound to ``max_tokens``.
    - A schema is in ``output_config.format``, and closed. ``top_p`` gives way to a temperature.
    - Blank texts are gone, and messages with nothing else.

    >>> content = [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]
    >>> normal_form({"max_tokens": 9, "messages": [{"role": "user", "content": content}]})
    {'messages': [{'role': 'user', 'content': 'Hi'}], 'max_tokens': 9}
    """
    form: dict[str, Any] = {}
    if body.get("system") and (system := _flat(_said(_blocks(body["system"])))):
        form["system"] = system
    form["messages"] = _history(body["messages"])
    form |= {field: body[field] for field in _KEPT if body.get(field) is not None}
    if "temperature" in form:
        form.pop("top_p", None)
    if body.get("stop_sequences"):
        form["stop_sequences"] = list(body["stop_sequences"])
    if (user := mapping_in(body, "metadata").get("user_id")) is not None:
        form["metadata"] = {"user_id": user}
    form |= _tools(body)
    config = mapping_in(body, "output_config")
    if asked := config.get("format") or body.get("output_format"):
        form["output_config"] = {
            "format": {"type": "json_schema", "schema": closed(asked["schema"])}
        }
    effort = thought_effort(body, efforts)
    if effort not in (None, "none", "minimal"):
        think_within(form, effort, efforts)
    return form


def _history(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    history: list[dict[str, Any]] = []
    results: list[Any] | None = None  # the content of a user message of results alone
    for message in messages:
        content = message["content"]
        if message["role"] == "assistant":
            if spoken := _spoken(content):
                history.append({"role": "assistant", "content": spoken})
                results = None
            continue
        own, rest = _user(content)
        if own and results is None:
            results = []
            history.append({"role": "user", "content": results})
        if results is None:
            if rest:
                history.append({"role": "user", "content": _flat(rest)})
            continue
        results += own + rest
        if rest:
            results = None
    return history


def _flat(blocks: list[dict[str, Any]]) -> Any:
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def _spoken(content: Any) -> Any:
    """An assistant's content: a text, or texts and then calls."""
    if isinstance(content, str):
        return _flat(_said(_blocks(content)))
    texts = _said(_blocks([block for block in content if block["type"] == "text"]))
    calls = [_call(block) for block in content if block["type"] == "tool_use"]
    return texts + calls if calls else _flat(texts)


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    ident = messages_tool_id(block["id"])
    given = {} if block.get("input") is None else arguments_object(block["input"])
    return {"type": "tool_use", "id": ident, "name": block["name"], "input": given}


def _user(content: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The results of tools in a user's content, and everything else."""
    if isinstance(content, str):
        return [], _said(_blocks(content))
    results, shown, rest = [], [], []
    for block in content:
        if block["type"] == "tool_result":
            result, media = _result(block)
            results.append(result)
            shown += media
        else:
            rest += _blocks([block])
    return results, _said(shown + rest)


def _said(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _result(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = _blocks(block.get("content") or "")
    texts = [one for one in found if one["type"] == "text"]
    media = [one for one in found if one["type"] != "text"]
    if not texts:
        said = "The result is in the next message." if media else ""
        texts = [{"type": "text", "text": said}]
    if block.get("is_error"):
        texts[0] = {"type": "text", "text": error_text(texts[0]["text"])}
    if media:
        said = f"From the result of {block['tool_use_id']}:"
        media.insert(0, {"type": "text", "text": said})
    ident = messages_tool_id(block["tool_use_id"])
    return {
        "type": "tool_result",
        "tool_use_id": ident,
        "content": _flat(_said(texts)) or "",
    }, media


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [one for block in content for one in _block(block)]


def _block(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    if block["type"] == "text":
        return [{"type": "text", "text": block["text"]}]
    source = block["source"]
    return [_image(source)] if block["type"] == "image" else _document(block, source)


def _image(source: Mapping[str, Any]) -> dict[str, Any]:
    if source["type"] == "base64":
        kept = {"media_type": source["media_type"], "data": source["data"]}
        return {"type": "image", "source": {"type": "base64", **kept}}
    if inline := DataUrl.read(source["url"]):
        return {"type": "image", "source": {"type": "base64", **inline._asdict()}}
    return {"type": "image", "source": {"type": "url", "url": source["url"]}}


def _document(block: Mapping[str, Any], source: Mapping[str, Any]) -> list[dict[str, Any]]:
    title, context = text_in(block, "title"), text_in(block, "context")
    before = _blocks(context) if context else []
    if source["type"] == "base64":
        kept = {"media_type": source["media_type"], "data": source["data"]}
        document = {"type": "document", "source": {"type": "base64", **kept}}
        if title not in ("", "document.pdf"):
            document["title"] = title
        return [*before, document]
    before = (_blocks(title) if title else []) + before
    return before + _blocks(source["data"] if source["type"] == "text" else source["content"])


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    form: dict[str, Any] = {}
    if body.get("tools"):
        form["tools"] = [_tool(tool) for tool in body["tools"]]
    choice = body.get("tool_choice")
    if choice is not None:
        form["tool_choice"] = {
            field: choice[field] for field in ("type", "name") if field in choice
        }
        called = choice["type"] != "none" and "tools" in form
        if choice.get("disable_parallel_tool_use") and called:
            form["tool_choice"]["disable_parallel_tool_use"] = True
    return form


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"name": tool["name"]}
    if tool.get("description") is not None:
        kept["description"] = tool["description"]
    schema = tool.get("input_schema")
    kept["input_schema"] = {"type": "object", "properties": {}} if schema is None else schema
    if tool.get("strict") and is_strict(schema):
        kept["strict"] = True
    return kept
