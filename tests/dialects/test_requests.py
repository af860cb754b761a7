"""What becomes of each field of a request, both ways; by hand, then for any body."""

import copy
from typing import Any

import pytest
from dialect_bodies import broken, messages_bodies
from hypothesis import given, settings

from failsoft.dialects.answer_schema import closed, is_strict
from failsoft.dialects.chat_format import ChatFormat, Efforts, Unfit
from failsoft.dialects.chat_request import chat_request, unfit_for_chat
from failsoft.dialects.messages_request import (
    messages_request,
    normal_form,
    unfit_for_messages,
    without_unsigned_thinking,
)

HI = {"role": "user", "content": "Hi"}
OPENAI = ChatFormat()
PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "1"}
CHAT_CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}
CACHED = {"cache_control": {"type": "ephemeral"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def to_chat(form: ChatFormat = OPENAI, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, changes = chat_request({"messages": [HI], **fields}, form)
    assert body.pop("stream_options") == {"include_usage": True}
    if "messages" not in fields and "system" not in fields:
        assert body.pop("messages") == [HI]
    return body, changes


def to_messages(**fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, changes = messages_request({"messages": [HI], **fields})
    if "messages" not in fields:
        assert body.pop("messages") == [HI]
    return body, changes


def tool(name: str = "f", schema: Any = OPEN, **more: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": schema, **more}


def function(name: str = "f", schema: Any = OPEN, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema, **more}}


def named(schema: Any, *, strict: bool) -> dict[str, Any]:
    schema = {"name": "answer", "schema": schema, "strict": strict}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


FIELDS_TO_CHAT: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({"max_tokens": 9}, {"max_completion_tokens": 9}, ()),
    ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}, ()),
    ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}, ()),
    ({"stop_sequences": []}, {}, ()),
    ({"metadata": {"user_id": "u"}}, {"user": "u"}, ()),
    ({"top_k": 5, "service_tier": "auto"}, {}, ("top_k dropped", "service_tier dropped")),
    ({"temperature": None, "system": None, "mcp_servers": []}, {"messages": [HI]}, ()),
    ({"tools": [tool()]}, {"tools": [function()]}, ()),
    ({"tools": [tool(type="custom", description="d")]}, {"tools": [function(description="d")]}, ()),
    ({"tools": [tool(**CACHED)]}, {"tools": [function()]}, ("tools.cache_control dropped",)),
    (
        {"tools": [tool("f", CLOSED, strict=True)]},
        {"tools": [function("f", CLOSED, strict=True)]},
        (),
    ),
    (
        {"tools": [tool(strict=True)]},
        {"tools": [function()]},
        ("tools.strict dropped: a schema leaves properties optional or open",),
    ),
    ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}, ()),
    ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}, ()),
    ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}, ()),
    (
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": False,
        },
        (),
    ),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 5000}},
        {"reasoning_effort": "medium"},
        ("thinking.budget_tokens 5000 → reasoning_effort medium",),
    ),
    ({"thinking": {"type": "adaptive"}}, {}, ("thinking adaptive dropped",)),
    ({"thinking": {"type": "disabled"}}, {}, ("thinking disabled dropped",)),
    ({"output_config": {"effort": "max"}}, {"reasoning_effort": "max"}, ()),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
        named(CLOSED, strict=True),
        (),
    ),
    (
        {"output_format": {"type": "json_schema", "schema": OPEN}},
        named(OPEN, strict=False),
        ("output_format is not strict: its schema leaves properties optional or open",),
    ),
]


@pytest.mark.parametrize(("fields", "expected", "changes"), FIELDS_TO_CHAT)
def test_a_field_to_chat(fields, expected, changes) -> None:
    assert to_chat(**fields) == (expected, changes)


MESSAGES_TO_CHAT: list[tuple[list[Any], list[Any], tuple[str, ...]]] = [
    ([text("a")], [{"role": "user", "content": "a"}], ()),
    ([text("a", **CACHED)], [{"role": "user", "content": "a"}], ("cache_control dropped",)),
    ([text("a"), text("b")], [{"role": "user", "content": [text("a"), text("b")]}], ()),
    (
        [text("a"), {"type": "image", "source": PNG}],
        [{"role": "user", "content": [text("a"), PNG_PART]}],
        (),
    ),
    (
        [{"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}],
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}],
            }
        ],
        (),
    ),
    (
        [{"type": "document", "source": PDF, "title": "Report.pdf", "context": "of May"}],
        [
            {
                "role": "user",
                "content": [
                    text("of May"),
                    {
                        "type": "file",
                        "file": {
                            "filename": "Report.pdf",
                            "file_data": "data:application/pdf;base64,aGk=",
                        },
                    },
                ],
            }
        ],
        (),
    ),
    (
        [{"type": "document", "source": {"type": "text", "data": "long"}, "title": "T"}],
        [{"role": "user", "content": [text("T"), text("long")]}],
        (),
    ),
    ([RESULT], [{"role": "tool", "tool_call_id": "t1", "content": "1"}], ()),
    (
        [{**RESULT, "content": [text("a"), text("b")]}, text("Go on")],
        [
            {"role": "tool", "tool_call_id": "t1", "content": [text("a"), text("b")]},
            {"role": "user", "content": "Go on"},
        ],
        (),
    ),
    (
        [{**RESULT, "is_error": True}],
        [{"role": "tool", "tool_call_id": "t1", "content": "Error: 1"}],
        ("tool_result.is_error written into its text",),
    ),
    (
        [{"type": "tool_result", "tool_use_id": "t1"}],
        [{"role": "tool", "tool_call_id": "t1", "content": ""}],
        (),
    ),
    (
        [{**RESULT, "content": [{"type": "image", "source": PNG}]}, text("So?")],
        [
            {"role": "tool", "tool_call_id": "t1", "content": "The result is in the next message."},
            {"role": "user", "content": [text("From the result of t1:"), PNG_PART, text("So?")]},
        ],
        ("images and files of tool results moved to a user message",),
    ),
    (
        [text("first"), RESULT],
        [
            {"role": "tool", "tool_call_id": "t1", "content": "1"},
            {"role": "user", "content": "first"},
        ],
        ("tool results moved to the start of their message",),
    ),
]


@pytest.mark.parametrize(("content", "expected", "changes"), MESSAGES_TO_CHAT)
def test_content_of_a_user_to_chat(content, expected, changes) -> None:
    body, changed = to_chat(messages=[{"role": "user", "content": content}])
    assert (body["messages"], changed) == (expected, changes)


THOUGHT = {"type": "thinking", "thinking": "Well", "signature": "c2ln"}
ASSISTANT_TO_CHAT: list[tuple[Any, list[Any], tuple[str, ...]]] = [
    ("a", [{"role": "assistant", "content": "a"}], ()),
    ([CALL], [{"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}], ()),
    (
        [text("a"), {**CALL, "input": '{"a":1'}],
        [
            {
                "role": "assistant",
                "content": "a",
                "tool_calls": [{**CHAT_CALL, "function": {"name": "f", "arguments": '{"a":1'}}],
            }
        ],
        (),
    ),
    (
        [CALL, text("a")],
        [{"role": "assistant", "content": "a", "tool_calls": [CHAT_CALL]}],
        ("text after a tool call moved before it",),
    ),
    (
        [THOUGHT, {"type": "redacted_thinking", "data": "x"}, text("a")],
        [{"role": "assistant", "content": "a"}],
        ("thinking in the history dropped",),
    ),
    ([THOUGHT], [], ("thinking in the history dropped", "a message without content dropped")),
]


@pytest.mark.parametrize(("content", "expected", "changes"), ASSISTANT_TO_CHAT)
def test_content_of_an_assistant_to_chat(content, expected, changes) -> None:
    body, changed = to_chat(messages=[{"role": "assistant", "content": content}, HI])
    assert (body["messages"], changed) == ([*expected, HI], changes)


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Be brief.", "Be brief."),
        ([text("a")], "a"),
        ([text("a"), text("b")], [text("a"), text("b")]),
    ],
)
def test_a_system_prompt_to_chat(system, expected) -> None:
    body, changes = to_chat(system=system)
    assert (body["messages"], changes) == ([{"role": "system", "content": expected}, HI], ())


def test_a_service_with_habits_of_its_own() -> None:
    form = ChatFormat(
        max_tokens_field="max_tokens",
        takes_parallel_tool_calls=False,
        takes_reasoning_effort=False,
        takes_user=False,
        takes_text_parts=False,
    )
    body, changes = to_chat(
        form,
        max_tokens=9,
        system=[text("a"), text("b")],
        metadata={"user_id": "u"},
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 5000},
    )
    assert body == {
        "messages": [{"role": "system", "content": "a\n\nb"}, HI],
        "max_tokens": 9,
        "tool_choice": "auto",
    }
    assert changes == (
        "several texts joined to one",
        "tool_choice.disable_parallel_tool_use dropped",
        "metadata.user_id dropped",
        "thinking dropped: no reasoning_effort there",
    )


SIGNED = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
FOREIGN = {"google": {"thought_signature": "skip_thought_signature_validator"}}


def test_gemini_wants_its_signature_back_with_a_call() -> None:
    history = [HI, turn({**CALL, **SIGNED}, {**CALL, "id": "t2"}), RESULTS]
    form = ChatFormat(signed_tool_calls=True)

    body, changes = to_chat(form, messages=history)
    calls = body["messages"][1]["tool_calls"]
    assert calls == [{**CHAT_CALL, **SIGNED}, {**CHAT_CALL, "id": "t2", "extra_content": FOREIGN}]
    assert changes == ()

    body, changes = to_chat(messages=history)
    assert body["messages"][1]["tool_calls"] == [CHAT_CALL, {**CHAT_CALL, "id": "t2"}]
    assert changes == ("tool_use.extra_content dropped",)

    body, changes = without_unsigned_thinking({"messages": history})
    assert body["messages"] == [HI, turn(CALL, {**CALL, "id": "t2"}), RESULTS]
    assert changes == (DROPPED,)


def test_mistral_takes_ids_of_nine_letters() -> None:
    nine = {**CALL, "id": "D681PevKs"}
    history = [HI, turn(CALL, nine), {"role": "user", "content": [RESULT]}]
    body, changes = to_chat(ChatFormat(nine_letter_tool_ids=True), messages=history)
    _, said, result = body["messages"]
    first, second = (call["id"] for call in said["tool_calls"])
    assert (len(first), first.isalnum(), second) == (9, True, "D681PevKs")
    assert result["tool_call_id"] == first
    assert changes == ("ids of tool calls rewritten in nine letters",)


def test_a_table_of_efforts_of_its_own() -> None:
    efforts = Efforts((("low", 2000), ("xhigh", 50_000)))
    thinking = {"type": "enabled", "budget_tokens": 2001}
    body = chat_request({"messages": [HI], "thinking": thinking}, OPENAI, efforts).body
    assert body["reasoning_effort"] == "xhigh"
    back = messages_request({**body, "max_completion_tokens": 64_000}, efforts).body
    assert back["thinking"] == {"type": "enabled", "budget_tokens": 50_000}


def user(*content: Any) -> dict[str, Any]:
    return {"messages": [HI, {"role": "user", "content": list(content)}]}


SCHEMA = {"type": "json_schema", "schema": CLOSED}
FILE = {"type": "file", "file_id": "file_1"}
UNFIT_FOR_CHAT: list[tuple[str, dict[str, Any], ChatFormat]] = [
    ("mcp_servers", {"mcp_servers": [{"url": "https://a.example"}]}, OPENAI),
    ("container", {"container": "c1"}, OPENAI),
    ("inference_geo", {"inference_geo": "us"}, OPENAI),
    ("from_the_future", {"from_the_future": 1}, OPENAI),
    ("tools[1].type", {"tools": [tool(), {"type": "web_search_20260318"}]}, OPENAI),
    ("tools[0].type", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, OPENAI),
    ("tools[0].name", {"tools": [tool("n" * 65)]}, OPENAI),
    ("tools[0].allowed_callers", {"tools": [tool(allowed_callers=["code"])]}, OPENAI),
    ("tool_choice", {"tool_choice": {"type": "maybe"}}, OPENAI),
    ("stop_sequences", {"stop_sequences": list("abcde")}, OPENAI),
    ("output_format", {"output_format": SCHEMA}, ChatFormat(takes_json_schema=False)),
    ("output_config.format", {"output_config": {"format": {"type": "xml"}}}, OPENAI),
    ("output_config.tone", {"output_config": {"tone": "kind"}}, OPENAI),
    ("messages[1]", {"messages": [HI, {"role": "assistant", "content": "It"}]}, OPENAI),
    ("messages", {"messages": None}, OPENAI),
    ("messages[0]", {"messages": ["Hi"]}, OPENAI),
    ("messages[0].role", {"messages": [{"role": "robot", "content": ""}]}, OPENAI),
    ("messages[0].content", {"messages": [{"role": "user", "content": 4}]}, OPENAI),
    ("messages[1].content[0]", user(4), OPENAI),
    ("messages[1].content[1]", user(text("a"), {"type": "search_result"}), OPENAI),
    ("messages[1].content[0].text", user(text(None)), OPENAI),
    ("messages[1].content[0].citations", user(text("a", citations=[{"type": "x"}])), OPENAI),
    (
        "messages[1].content[0].citations",
        user({"type": "document", "source": PDF, "citations": {"enabled": True}}),
        OPENAI,
    ),
    (
        "messages[1].content[0]",
        user({"type": "image", "source": PNG}),
        ChatFormat(takes_images=False),
    ),
    (
        "messages[1].content[0].content[0]",
        user({**RESULT, "content": [{"type": "image", "source": PNG}]}),
        ChatFormat(takes_images=False),
    ),
    (
        "messages[1].content[0].source",
        user({"type": "document", "source": PDF}),
        ChatFormat(takes_files=False),
    ),
    ("messages[1].content[0].source", user({"type": "image", "source": FILE}), OPENAI),
    ("messages[1].content[0].source", user({"type": "document", "source": FILE}), OPENAI),
    (
        "messages[1].content[0].source",
        user({"type": "document", "source": {"type": "url", "url": "https://a.example/a.pdf"}}),
        OPENAI,
    ),
    ("messages[1].content[0].tool_use_id", user({"type": "tool_result"}), OPENAI),
    (
        "messages[0].content[0]",
        {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}, HI]},
        OPENAI,
    ),
    (
        "messages[0].content[0].caller",
        {
            "messages": [
                {"role": "assistant", "content": [{**CALL, "caller": {"type": "code_execution"}}]},
                HI,
            ]
        },
        OPENAI,
    ),
    (
        "messages[0].content[0].input",
        {
            "messages": [
                {"role": "assistant", "content": [{**CALL, "input": {"a": float("nan")}}]},
                HI,
            ]
        },
        OPENAI,
    ),
    ("system[1]", {"system": [text("a"), {"type": "image"}]}, OPENAI),
]


@pytest.mark.parametrize(("field", "body", "form"), UNFIT_FOR_CHAT)
def test_unfit_for_chat(field, body, form) -> None:
    body = {"messages": [HI], **body}
    assert unfit_for_chat(body, form) == field
    with pytest.raises(Unfit):
        chat_request(body, form)


FIELDS_TO_MESSAGES: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({}, {"max_tokens": 4096}, ()),
    ({"max_completion_tokens": 9, "max_tokens": 8}, {"max_tokens": 9}, ()),
    ({"max_tokens": 8}, {"max_tokens": 8}, ()),
    ({"temperature": 0.5}, {"temperature": 0.5, "max_tokens": 4096}, ()),
    ({"temperature": 1.5}, {"temperature": 1, "max_tokens": 4096}, ("temperature 1.5 → 1",)),
    ({"stop": "a"}, {"stop_sequences": ["a"], "max_tokens": 4096}, ()),
    ({"user": "u"}, {"metadata": {"user_id": "u"}, "max_tokens": 4096}, ()),
    ({"n": 1, "logprobs": False, "logit_bias": {}}, {"max_tokens": 4096}, ()),
    (
        {"seed": 1, "presence_penalty": 0.5, "store": True},
        {"max_tokens": 4096},
        ("seed dropped", "presence_penalty dropped", "store dropped"),
    ),
    ({"tools": [function()]}, {"tools": [tool()], "max_tokens": 4096}, ()),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [tool("f", {"type": "object", "properties": {}})], "max_tokens": 4096},
        (),
    ),
    ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}, "max_tokens": 4096}, ()),
    (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "tool", "name": "f"}, "max_tokens": 4096},
        (),
    ),
    (
        {"tools": [function()], "parallel_tool_calls": False},
        {
            "tools": [tool()],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "max_tokens": 4096,
        },
        (),
    ),
    (
        named(OPEN, strict=True),
        {
            "output_config": {
                "format": {"type": "json_schema", "schema": {**OPEN, "additionalProperties": False}}
            },
            "max_tokens": 4096,
        },
        ("objects of the response_format allow no other properties there",),
    ),
    (
        named(CLOSED, strict=True),
        {
            "output_config": {"format": {"type": "json_schema", "schema": CLOSED}},
            "max_tokens": 4096,
        },
        (),
    ),
    (
        {"temperature": 0.3, "top_p": 0.9},
        {"temperature": 0.3, "max_tokens": 4096},
        ("top_p dropped: not taken with temperature",),
    ),
    ({"top_p": 0.9}, {"top_p": 0.9, "max_tokens": 4096}, ()),
    ({"response_format": {"type": "text"}}, {"max_tokens": 4096}, ()),
    (
        {"reasoning_effort": "medium", "temperature": 0.2},
        {"max_tokens": 12_288, "thinking": {"type": "enabled", "budget_tokens": 8192}},
        (
            "reasoning_effort medium → thinking.budget_tokens 8192",
            "temperature dropped: the model thinks",
        ),
    ),
    (
        {"reasoning_effort": "high", "max_tokens": 10_000},
        {"max_tokens": 10_000, "thinking": {"type": "enabled", "budget_tokens": 8000}},
        ("reasoning_effort high → thinking.budget_tokens 8000",),
    ),
    (
        {"reasoning_effort": "high", "max_tokens": 1000},
        {"max_tokens": 1000},
        ("reasoning_effort high → no thinking: max_tokens leaves no room",),
    ),
    (
        {"reasoning_effort": "low", "tool_choice": "required", "max_tokens": 4096},
        {"tool_choice": {"type": "any"}, "max_tokens": 4096},
        ("reasoning_effort low → no thinking: a tool is forced",),
    ),
    ({"reasoning_effort": "none"}, {"max_tokens": 4096}, ()),
    (
        {"reasoning_effort": "minimal"},
        {"max_tokens": 4096},
        ("reasoning_effort minimal → no thinking",),
    ),
]


@pytest.mark.parametrize(("fields", "expected", "changes"), FIELDS_TO_MESSAGES)
def test_a_field_to_messages(fields, expected, changes) -> None:
    assert to_messages(**fields) == (expected, changes)


def test_a_history_to_messages() -> None:
    kimi = {**CHAT_CALL, "id": "functions.f:0"}
    body, changes = messages_request(
        {
            "model": "m",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [
                {"role": "system", "content": "a"},
                {"role": "developer", "content": [text("b")]},
                {"role": "user", "content": [text("see"), PNG_PART]},
                {"role": "assistant", "content": "", "tool_calls": [CHAT_CALL, kimi]},
                {"role": "tool", "tool_call_id": "t1", "content": "1"},
                {"role": "tool", "tool_call_id": "functions.f:0", "content": [text("2")]},
                {"role": "user", "content": "And?", "name": "Ada"},
                {"role": "assistant", "content": None, "refusal": "No.", "reasoning_content": "?"},
                HI,
            ],
        }
    )
    call, result = {**CALL, "id": "functions-2e-f-3a-0"}, {**RESULT, "tool_use_id": "t1"}
    assert body == {
        "system": [text("a"), text("b")],
        "messages": [
            {"role": "user", "content": [text("see"), {"type": "image", "source": PNG}]},
            {"role": "assistant", "content": [CALL, call]},
            {
                "role": "user",
                "content": [
                    result,
                    {"type": "tool_result", "tool_use_id": call["id"], "content": "2"},
                    text("And?"),
                ],
            },
            {"role": "assistant", "content": "No."},
            HI,
        ],
        "max_tokens": 4096,
    }
    assert changes == (
        "ids of tool calls rewritten in the letters allowed there",
        "messages.name dropped",
        "messages.reasoning_content dropped",
    )


def test_arguments_that_are_no_object_are_put_into_one() -> None:
    odd = {**CHAT_CALL, "function": {"name": "f", "arguments": "a is 1"}}
    body, changes = to_messages(messages=[{"role": "assistant", "tool_calls": [odd]}, HI])
    assert body["messages"][0] == turn({**CALL, "input": {"arguments": "a is 1"}})
    assert changes == ("arguments of a tool call that are no JSON object put into one",)


def test_blank_texts_are_not_taken_there() -> None:
    body, changes = to_messages(
        messages=[
            {"role": "system", "content": " "},
            {"role": "user", "content": [text(""), text("Hi"), PNG_PART]},
            {"role": "assistant", "content": "\n\n", "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "t1", "content": ""},
            {"role": "assistant", "content": None},
            HI,
        ]
    )
    assert body["messages"] == [
        {"role": "user", "content": [text("Hi"), {"type": "image", "source": PNG}]},
        turn(CALL),
        {"role": "user", "content": [{**RESULT, "content": ""}, text("Hi")]},
    ]
    assert changes == ("blank texts dropped", "a message without content dropped")


def test_objects_in_a_schema_are_closed_unless_they_say_more() -> None:
    inner = {"type": "object", "properties": {"properties": {"type": "string"}}}
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    schema = {"$defs": {"a": inner}, "type": "array", "items": {"anyOf": [inner, free]}}
    shut = {**inner, "additionalProperties": False}
    assert closed(schema) == {
        "$defs": {"a": shut},
        "type": "array",
        "items": {"anyOf": [shut, free]},
    }
    assert closed(closed(schema)) == closed(schema)
    assert closed(CLOSED) is CLOSED
    assert is_strict(CLOSED)
    assert not is_strict({"items": OPEN})


def calls(**call: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "tool_calls": [{**CHAT_CALL, **call}]}, HI]}


UNFIT_FOR_MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("n", {"n": 2}),
    ("logprobs", {"logprobs": True}),
    ("modalities", {"modalities": ["text", "audio"]}),
    ("audio", {"audio": {"voice": "x"}}),
    ("functions", {"functions": [{"name": "f"}]}),
    ("web_search_options", {"web_search_options": {"search_context_size": "low"}}),
    ("from_the_future", {"from_the_future": 1}),
    ("response_format", {"response_format": {"type": "json_object"}}),
    ("stop", {"stop": ["\n"]}),
    ("tools[0].type", {"tools": [{"type": "custom", "custom": {"name": "f"}}]}),
    ("tools[0].function.name", {"tools": [function("a.b")]}),
    ("tool_choice", {"tool_choice": {"type": "allowed_tools"}}),
    ("messages", {"messages": {}}),
    ("messages[1].role", {"messages": [HI, {"role": "system", "content": "later"}]}),
    ("messages[1]", {"messages": [HI, {"role": "assistant", "content": "It"}]}),
    ("messages[1].content[0]", user({"type": "input_audio"})),
    ("messages[1].content[0].file", user({"type": "file", "file": {"file_id": "f1"}})),
    (
        "messages[1].content[0].image_url.url",
        user({"type": "image_url", "image_url": {"url": "data:text/plain,hi"}}),
    ),
    ("messages[0].tool_calls[0].type", calls(type="custom")),
    ("messages[0].tool_calls[0].id", calls(id=None)),
    ("messages[0].tool_calls[0].function.name", calls(function={})),
    ("messages[0].audio", {"messages": [{"role": "assistant", "audio": {"id": "a"}}, HI]}),
    ("messages[1].tool_call_id", {"messages": [HI, {"role": "tool", "content": ""}]}),
]


@pytest.mark.parametrize(("field", "body"), UNFIT_FOR_MESSAGES)
def test_unfit_for_messages(field, body) -> None:
    body = {"messages": [HI], **body}
    assert unfit_for_messages(body) == field
    with pytest.raises(Unfit):
        messages_request(body)


def test_a_fit_body_is_fit() -> None:
    assert unfit_for_chat({"messages": [HI]}, OPENAI) is None
    assert unfit_for_messages({"messages": [HI]}) is None


def turn(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


ON = {"type": "enabled", "budget_tokens": 2048}
OFF = {"type": "disabled"}
UNSIGNED = {"type": "thinking", "thinking": "Well", "signature": ""}
RESULTS = {"role": "user", "content": [RESULT]}
NO_THOUGHT = "thinking off: the last turn calls tools without signed thinking"
DROPPED = "thinking, signatures and blank texts of other providers dropped"


@pytest.mark.parametrize(
    ("messages", "kept", "thinking", "changes"),
    [
        ([HI, turn(THOUGHT, CALL), RESULTS], None, ON, ()),
        ([HI, turn(CALL), RESULTS], None, OFF, (NO_THOUGHT,)),
        (
            [HI, turn(UNSIGNED, CALL), RESULTS],
            [HI, turn(CALL), RESULTS],
            OFF,
            (DROPPED, NO_THOUGHT),
        ),
        ([HI, turn(CALL), RESULTS, turn(text("a")), HI], None, ON, ()),
        ([turn(UNSIGNED), HI], [HI], ON, (DROPPED,)),
        (
            [HI, turn(text("\n\n"), CALL), RESULTS],
            [HI, turn(CALL), RESULTS],
            OFF,
            (DROPPED, NO_THOUGHT),
        ),
    ],
)
def test_coming_back_from_another_provider(messages, kept, thinking, changes) -> None:
    body = {"messages": messages, "thinking": ON}
    expected = {"messages": messages if kept is None else kept, "thinking": thinking}
    assert without_unsigned_thinking(body) == (expected, changes)
    assert body == {"messages": messages, "thinking": ON}


def test_three_turns_of_tools_by_two_providers() -> None:
    """A signs its thought, B has none to sign, A goes on without thought until the loop ends."""
    history = [HI, turn(THOUGHT, CALL), RESULTS]
    assert chat_request({"messages": history, "thinking": ON}, OPENAI).body["messages"] == [
        HI,
        {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
        {"role": "tool", "tool_call_id": "t1", "content": "1"},
    ]
    history += [turn(UNSIGNED, CALL), RESULTS]
    body, changes = without_unsigned_thinking({"messages": history, "thinking": ON})
    assert body["messages"] == [HI, turn(THOUGHT, CALL), RESULTS, turn(CALL), RESULTS]
    assert (body["thinking"], changes) == (OFF, (DROPPED, NO_THOUGHT))


slow = settings(max_examples=60)


@slow
@given(messages_bodies)
def test_there_and_back_is_the_normal_form(body) -> None:
    before = copy.deepcopy(body)

    back = messages_request(chat_request(body, OPENAI).body).body

    assert back == normal_form(body)
    assert messages_request(chat_request(back, OPENAI).body).body == back
    assert body == before


@slow
@given(broken(messages_bodies))
def test_a_broken_messages_body_is_unfit_or_translated(body) -> None:
    without_unsigned_thinking(body)
    assert unfit_for_chat(body, OPENAI) != ""


@slow
@given(broken(messages_bodies.map(lambda body: chat_request(body, OPENAI).body)))
def test_a_broken_chat_body_is_unfit_or_translated(body) -> None:
    assert unfit_for_messages(body) != ""
