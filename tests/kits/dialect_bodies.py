"""Bodies of requests in both dialects, as hypothesis strategies: whole ones and broken ones."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from failsoft.dialects.normal_form import normal_form

__all__ = ["broken", "json_objects", "json_values", "messages_bodies"]

_texts = st.text(max_size=8) | st.sampled_from(["", " ", "\n\n"])
_names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
_ids = st.one_of(_names, st.from_regex(r"functions\.[a-z]{1,5}:[0-9]", fullmatch=True))
_marks = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(_texts, json_values, max_size=3)


def _block(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    whole = st.fixed_dictionaries({"type": st.just(kind), **fields})
    return st.builds(lambda block, mark: {**block, **mark}, whole, _marks)


_text = _block("text", text=_texts)
_image = _block(
    "image",
    source=st.sampled_from(
        [
            {"type": "base64", "media_type": "image/png", "data": "aGk="},
            {"type": "url", "url": "https://example.org/a.png"},
            {"type": "url", "url": "data:image/gif;base64,aGk="},
        ]
    ),
)
_titles = st.sampled_from([None, "", "Report", "document.pdf"])
_pdf = st.just({"type": "base64", "media_type": "application/pdf", "data": "aGk="})
_plain = st.builds(lambda text: {"type": "text", "media_type": "text/plain", "data": text}, _texts)
_inside = st.builds(
    lambda content: {"type": "content", "content": content},
    _texts | st.lists(_text | _image, max_size=2),
)
_document = _block("document", source=_pdf | _plain | _inside, title=_titles, context=_titles)
_content = st.lists(_text | _image | _document, max_size=3)
_tool_use = _block("tool_use", id=_ids, name=_names, input=json_objects | _texts)
_tool_result = st.builds(
    lambda block, content, failed: {**block, **content, **failed},
    _block("tool_result", tool_use_id=_ids),
    st.just({}) | st.builds(lambda content: {"content": content}, _texts | _content),
    st.sampled_from([{}, {"is_error": True}, {"is_error": False}]),
)
_thinking = st.sampled_from(
    [
        {"type": "thinking", "thinking": "Well", "signature": "c2ln"},
        {"type": "thinking", "thinking": "Well", "signature": ""},
        {"type": "redacted_thinking", "data": "c2ln"},
    ]
)
_user = st.builds(
    lambda content: {"role": "user", "content": content},
    _texts | _content | st.lists(_tool_result | _text | _image | _document, max_size=4),
)
_assistant = st.builds(
    lambda content: {"role": "assistant", "content": content},
    _texts | st.lists(_text | _thinking | _tool_use, max_size=4),
)
_schemas = st.sampled_from(
    [
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    ]
)
_tool = st.fixed_dictionaries(
    {"name": _names, "input_schema": _schemas | st.none()},
    optional={
        "type": st.just("custom"),
        "description": _texts,
        "strict": st.booleans(),
        "cache_control": st.just({"type": "ephemeral"}),
    },
)
_tool_choice = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["auto", "any"])},
        optional={"disable_parallel_tool_use": st.booleans()},
    ),
    st.just({"type": "none"}),
    st.builds(lambda name: {"type": "tool", "name": name}, _names),
)
_thought = st.one_of(
    st.builds(
        lambda budget: {"type": "enabled", "budget_tokens": budget},
        st.integers(min_value=1024, max_value=40_000),
    ),
    st.sampled_from([{"type": "adaptive"}, {"type": "disabled"}]),
)
_format = st.builds(lambda schema: {"type": "json_schema", "schema": schema}, _schemas)

messages_bodies = st.builds(
    lambda body, history, last: {**body, "messages": [*history, last]},
    st.fixed_dictionaries(
        {"max_tokens": st.integers(min_value=1, max_value=50_000)},
        optional={
            "system": _texts | st.lists(_text, max_size=3),
            "tools": st.lists(_tool, max_size=3),
            "tool_choice": _tool_choice,
            "thinking": _thought,
            "output_format": _format,
            "output_config": st.fixed_dictionaries(
                {}, optional={"format": _format, "effort": st.sampled_from(["low", "high", "max"])}
            ),
            "temperature": st.floats(min_value=0, max_value=1),
            "top_p": st.floats(min_value=0, max_value=1),
            "top_k": st.integers(min_value=1, max_value=100),
            "stop_sequences": st.lists(_names, max_size=4),
            "metadata": st.fixed_dictionaries({}, optional={"user_id": _names}),
            "service_tier": st.just("auto"),
        },
    ),
    st.lists(_user | _assistant, max_size=6),
    _user.filter(lambda message: normal_form({"messages": [message]})["messages"]),
)
"""Messages bodies that fit Chat Completions, whose counterpart fits back."""


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A body with one value in it, at any depth, replaced by any other."""
    body = deepcopy(draw(whole))
    place: Any = {"body": body}
    key: Any = "body"
    for _ in range(draw(st.integers(min_value=1, max_value=6))):
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place = place[key]
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = draw(json_values)
    return body
